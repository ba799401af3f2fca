//! Actions of staff on people's accounts. Staff never see or set a secret.

pub mod find;
pub mod methods;
pub mod reset;
