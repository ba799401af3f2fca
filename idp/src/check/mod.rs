//! Checks for operators: whether a configuration can be served, and whether everything that it needs answers.
//!
//! `check-config` reads the configuration and the files that it names, and nothing else. `serve` refuses to start
//! with the same problems. `doctor` connects to the database, to Redis, to the mail server and to the issuer.

mod configuration;
mod doctor;
mod mail;
mod memory;
mod phone_apps;

pub(crate) use configuration::{missing_folder, problems, warnings};
pub(crate) use doctor::diagnose;

use crate::config::ConfigProblem;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As it should be.
    Good,
    /// It works, but an operator should look at it.
    Warning,
    /// It does not work.
    Failed,
}

impl Verdict {
    /// The word that is printed.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One thing that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// What was checked: the name of a configuration key, or of a part.
    pub(crate) name: String,
    /// The result.
    pub(crate) verdict: Verdict,
    /// What was found and, unless it is good, what to do.
    pub(crate) text: String,
}

impl Finding {
    fn good(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Good, text: text.into() }
    }

    fn warning(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Warning, text: text.into() }
    }

    fn failed(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Failed, text: text.into() }
    }

    /// A problem with which `serve` refuses to start.
    pub(crate) fn from_problem(problem: &ConfigProblem) -> Self {
        Self::failed(&problem.key, &problem.text)
    }
}

/// The findings about a configuration that could be read.
pub(crate) fn to_findings(problems: &[ConfigProblem], warnings: &[ConfigProblem]) -> Vec<Finding> {
    let warnings = warnings.iter().map(|problem| Finding::warning(&problem.key, &problem.text));
    problems.iter().map(Finding::from_problem).chain(warnings).collect()
}
