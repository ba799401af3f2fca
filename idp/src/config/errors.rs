//! Problems of a configuration.

use std::fmt;

/// One problem, with the name of its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigProblem {
    /// The key as an operator writes it: `smtp.host`.
    pub key: String,
    /// What is wrong and what to do. Never contains the value of a secret.
    pub text: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.text)
    }
}

impl std::error::Error for ConfigProblem {}

/// All problems of a configuration: one line per problem, sorted by key.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    problems: Vec<ConfigProblem>,
}

impl ConfigErrors {
    pub(super) fn new(mut problems: Vec<ConfigProblem>) -> Self {
        problems.sort();
        Self { problems }
    }

    pub(super) fn single(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(vec![ConfigProblem { key: key.into(), text: text.into() }])
    }

    /// The problems, sorted by key. Never empty.
    #[must_use]
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.problems.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
