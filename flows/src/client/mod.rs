//! Clients (relying parties): RFC 7591 metadata, a profile, and what the operator decided about them.
//!
//! ```text
//! profile ─▶ defaults ─▶ Client ─▶ check ─▶ row ─▶ Client ─▶ snapshot ─▶ requests
//!            what the operator asks for ─┘     one struct all the way
//! ```
//!
//! This file re-exports only data. Changes of clients are in [`registration`], which needs a context; the context has the
//! snapshot.

mod check;
mod metadata;
mod model;
mod profile;
mod redirect_uri;
pub mod registration;
mod snapshot;

pub use check::BadClient;
pub use metadata::{
    ApplicationType, AuthMethod, GrantType, Metadata, OperatorPolicy, Pkce, ResponseType,
    SubjectType,
};
pub use model::Client;
pub use profile::Profile;
pub(crate) use redirect_uri::is_loopback;
pub use snapshot::Clients;
