//! Live settings: the list of them, their snapshot, and how they are changed and undone.
//!
//! A setting is a versioned document: actor, time, reason, old and new value. Replicas poll one number twice a second and
//! read the values again when it has changed.

mod change;
mod list;

pub use change::{CurrentSetting, current_settings, history, set, undo};
pub use list::{ALL, BadSetting, Kind, Setting, Settings, parse_duration};
