//! How each engine counts again what it plans statements by. Each statement is a transaction of its own, so that none
//! holds its locks while the next table is read, and each has the time limits of a statement for itself.

macro_rules! analyze {
    ($($table:ident)+) => {
        [$(concat!("ANALYZE ", stringify!($table))),+]
    };
}

/// Only the tables whose size has changed tenfold (`0x2`), also those that this connection has not read (`0x10000`),
/// and of each index a sample (`0x10`), not every entry: all writes wait meanwhile.
pub(super) const SQLITE: [&str; 1] = ["PRAGMA optimize = 0x10012"];

/// All of our tables, and none of others: for each of those PostgreSQL would warn that it may not.
pub(super) const POSTGRES: [&str; 27] = analyze! {
    users passwords devices totp_apps passkeys recovery_codes clients consents attempts email_challenges sign_ins sessions
    grants auth_codes throttles wrong_codes signing_keys key_successions ended_keys
    root_keys document_versions revisions audit audit_seals jobs leases checks
};
