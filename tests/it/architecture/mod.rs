//! What no compiler holds: which crate names what, who calls what, and how large a thing may be. The sources are read by
//! `syn`; a test that fails says what to do.

mod callers;
mod checks;
mod circles;
mod crates;
mod documents;
mod expand;
mod exports;
mod facts;
mod names;
mod one_of_each;
mod parts;
mod sizes;
mod source;
mod sql;
mod statements;
mod tokens;
mod words;

/// Fails with one line per finding, under a heading that says what to do about them.
fn assert_none(findings: &[String], what_to_do: &str) {
    assert!(findings.is_empty(), "{what_to_do}\n  {}\n", findings.join("\n  "));
}
