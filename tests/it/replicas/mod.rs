//! Several replicas on one database.

mod periodic_tasks;
mod propagation;
mod shared_state;
mod single_use_codes;
