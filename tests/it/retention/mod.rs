//! When rows are deleted, and what the deletion blocks.

mod batch_locks;
mod expiry;
mod statistics;
