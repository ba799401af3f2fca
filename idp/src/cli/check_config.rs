//! `idp check-config`.

use std::path::PathBuf;

use clap::Args;

use super::{CommandError, CommandResult, print};
use crate::{
    check::{self, Finding, Verdict},
    clock::Clock,
    config::{self, CheckedValues, Config},
};

/// Check the configuration and the files that it names. Makes no connection.
#[derive(Args, Debug)]
pub(super) struct CheckConfig {
    /// Configuration file (TOML); variables `IDP__SECTION__KEY` win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl CheckConfig {
    pub(super) fn run(&self) -> CommandResult {
        let now = Clock::system().now();
        let check = |values: &CheckedValues| check::problems(values, now);
        let path = self.config.as_deref();
        let findings = match Config::load_and_check(path, config::environment(), check) {
            Ok(config) => check::to_findings(&[], &check::warnings(&config, now)),
            Err(errors) => errors.problems().iter().map(Finding::from_problem).collect(),
        };
        let good = print_findings(&findings, self.json);
        if !good {
            return Err(CommandError::new("`serve` would refuse this configuration"));
        }
        if !self.json {
            print::line("The configuration is valid.");
        }
        Ok(())
    }
}

/// Prints the findings; returns whether none of them has failed.
pub(super) fn print_findings(findings: &[Finding], json: bool) -> bool {
    let good = findings.iter().all(|finding| finding.verdict != Verdict::Failed);
    if json {
        let rows = findings.iter().map(|finding| {
            serde_json::json!({
                "name": finding.name, "verdict": finding.verdict.as_str(), "text": finding.text,
            })
        });
        let rows: serde_json::Value = rows.collect();
        print::json(&serde_json::json!({ "ok": good, "findings": rows }));
    } else {
        for Finding { name, verdict, text } in findings {
            print::line(&format!("{:<8} {name}: {text}", verdict.as_str()));
        }
    }
    good
}
