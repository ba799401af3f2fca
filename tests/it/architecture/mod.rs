//! Rules that no compiler checks: which crate names what, which code calls what, and how long code may be. `syn` parses the
//! sources; a failing test says what to do.

mod callers;
mod check_constraints;
mod crates;
mod expand;
mod exports;
mod facts;
mod import_cycles;
mod name_resolution;
mod plain_words;
mod single_definition;
mod sizes;
mod source;
mod sql;
mod sql_fragments;
mod suppressions;
mod threat_model;
mod tokens;
mod unused_statements;

/// Fails with one line for each finding, under a heading that says what to do about them.
fn assert_none(findings: &[String], what_to_do: &str) {
    assert!(findings.is_empty(), "{what_to_do}\n  {}\n", findings.join("\n  "));
}
