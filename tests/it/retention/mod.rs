//! What is deleted when, and what the deletion blocks.

mod batch_locks;
mod expiry;
