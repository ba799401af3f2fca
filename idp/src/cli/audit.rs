//! `idp audit`.

use std::io::{BufWriter, ErrorKind, Write, stdout};

use clap::{Args, Subcommand};
use flows::{
    Cx,
    audit::Event,
    staff::find,
    trail::{
        ChainHead,
        export::{self, Export},
        verify::{self, Finding, VerifyObserver, VerifyReport},
    },
};
use serde_json::{Value, json};
use store::{Timestamp, audit::AuditRow};

use super::{
    CommandError, CommandResult, data_source::DataSourceArgs, print, progress::ProgressBar, user,
};
use crate::clock::{parse_time, rfc3339};

/// The most findings in JSON output, and the most late-sealed rows in any output. The counts include the others.
const MAX_SHOWN: usize = 1_000;

/// Verify and export the audit trail.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check that the trail is as it was written: no row changed, removed, added or late, and no seal missing.
    Verify {
        #[command(flatten)]
        span: TimeRange,
        /// A head that the chain once had, as the log or this command printed it: detects a deleted end.
        #[arg(long, value_name = "SEQUENCE:DIGEST")]
        expect: Option<ChainHead>,
        #[command(flatten)]
        at: DataSourceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the trail by time, one JSON object on each line.
    Export {
        #[command(flatten)]
        span: TimeRange,
        /// Only events of the person with this e-mail address.
        #[arg(long, value_name = "EMAIL")]
        user: Option<String>,
        /// Only this event, such as `sign_in.completed`.
        #[arg(long)]
        event: Option<String>,
        #[command(flatten)]
        at: DataSourceArgs,
    },
}

/// A range of time.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct TimeRange {
    /// Only from this time on: `2026-11-24` (midnight UTC) or `2026-11-24T09:41:07Z`.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Timestamp>,
    /// Only before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<Timestamp>,
}

impl TimeRange {
    /// Refuses a range that ends before it begins: its empty answer would look like a quiet time.
    fn check(self) -> CommandResult {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from > to => Err(CommandError::usage(format!(
                "--from {} is later than --to {}, so no row can be between them; exchange them",
                rfc3339(from),
                rfc3339(to)
            ))),
            _ => Ok(()),
        }
    }
}

impl AuditCommand {
    pub(super) async fn run(self) -> CommandResult {
        match self {
            Self::Verify { span, expect, at, json } => {
                span.check()?;
                let cx = at.open().await?.cx().await?;
                verify(&cx, verify::VerifyOptions { from: span.from, to: span.to, expect }, json)
                    .await
            }
            Self::Export { span, user, event, at } => {
                span.check()?;
                let cx = at.open().await?.cx().await?;
                export(&cx, span, user.as_deref(), event.as_deref()).await
            }
        }
    }
}

struct VerifyOutput {
    progress: ProgressBar,
    json: bool,
    findings: Vec<Value>,
    waited: Vec<Value>,
    note_count: usize,
}

impl VerifyObserver for VerifyOutput {
    fn on_progress(&mut self, done: i64, all: i64) {
        self.progress.update(done, all);
    }

    fn on_finding(&mut self, finding: &Finding) {
        if !self.json {
            self.progress.clear();
            print::line(&finding_line(finding));
        } else if self.findings.len() < MAX_SHOWN {
            self.findings.push(document(finding));
        }
    }

    fn on_note(&mut self, note: &Finding) {
        self.note_count += 1;
        if self.note_count > MAX_SHOWN {
            return;
        }
        if self.json {
            self.waited.push(document(note));
        } else {
            self.progress.clear();
            print::line(&finding_line(note));
        }
    }
}

async fn verify(cx: &Cx, options: verify::VerifyOptions, json: bool) -> CommandResult {
    let mut output = VerifyOutput {
        progress: ProgressBar::new(),
        json,
        findings: Vec::new(),
        waited: Vec::new(),
        note_count: 0,
    };
    let report = verify::verify(cx, &options, &mut output).await?;
    let VerifyOutput { progress, findings, waited, .. } = output;
    drop(progress);
    if json {
        print::json(&report_json(&report, &findings, &waited));
    } else {
        print_report(&report);
    }
    if report.findings == 0 {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "the audit trail is not as it was written: {} findings",
        report.findings
    )))
}

fn finding_line(finding: &Finding) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    format!(
        "{:<16} seal {:<8} {} {} {}",
        finding.kind.as_str(),
        or_dash(finding.seal.map(|seal| seal.to_string())),
        or_dash(finding.at.map(rfc3339)),
        or_dash(finding.row.map(|row| row.to_string())),
        finding.event.as_deref().unwrap_or("-"),
    ) + &finding.sealed_at.map(|at| format!(" sealed {}", rfc3339(at))).unwrap_or_default()
}

fn document(finding: &Finding) -> Value {
    json!({
        "what": finding.kind.as_str(), "seal": finding.seal, "id": finding.row, "at": finding.at.map(rfc3339),
        "event": finding.event, "sealed_at": finding.sealed_at.map(rfc3339),
    })
}

fn report_json(report: &VerifyReport, findings: &[Value], waited: &[Value]) -> Value {
    let head = report
        .head
        .as_ref()
        .map(|head| json!({ "sequence": head.sequence, "digest": head.digest }));
    json!({
        "sound": report.findings == 0, "seals": report.seals, "swept_seals": report.swept, "rows": report.rows,
        "waited_rows": report.waited, "unsealed_rows": report.unsealed, "unsealed_since": report.oldest_unsealed.map(rfc3339), "head": head,
        "findings": report.findings, "found": findings, "waited": waited,
    })
}

fn print_report(report: &VerifyReport) {
    print::line(&format!(
        "{} rows in {} seals are checked; the rows of {} seals were swept.",
        report.rows, report.seals, report.swept
    ));
    if report.waited > 0 {
        let rows = report.waited;
        print::line(&format!(
            "{rows} of them had waited for minutes, with nothing sealed meanwhile: did no replica run then? Until their seal, \
             the removal of one of them could not have been detected."
        ));
    }
    if let Some(since) = report.oldest_unsealed {
        let (rows, since) = (report.unsealed, rfc3339(since));
        print::line(&format!("{rows} rows wait for their seal, the oldest since {since}."));
    }
    if let Some(head) = &report.head {
        print::line(&format!("Head: {head}"));
    }
}

async fn export(
    cx: &Cx,
    span: TimeRange,
    email: Option<&str>,
    event: Option<&str>,
) -> CommandResult {
    if let Some(name) = event
        && Event::ALL.iter().all(|known| known.as_str() != name)
    {
        return Err(CommandError::new(format!(
            "there is no event called {name}; docs/audit.md lists them"
        )));
    }
    let about = match email {
        None => None,
        Some(text) => {
            let email = user::parse_address(text)?;
            let found = find::find_user(cx, &email).await?;
            Some(found.ok_or_else(|| user::unknown_user(&email))?.user.id)
        }
    };
    let filter = export::ExportFilter { from: span.from, to: span.to, user: about, event };
    let (mut export, mut out) = (Export::new(cx, filter), BufWriter::new(stdout().lock()));
    loop {
        let rows = export.next().await?;
        if rows.is_empty() {
            return check_write(out.flush()).map(|_| ());
        }
        for row in &rows {
            if !check_write(writeln!(out, "{}", row_json(row)))? {
                return Ok(());
            }
        }
    }
}

/// False when the reader has closed the pipe, which is no failure; a full disk is one.
fn check_write(result: std::io::Result<()>) -> Result<bool, CommandError> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CommandError::new(format!("the export could not be written: {error}"))),
    }
}

fn row_json(row: &AuditRow) -> Value {
    // A row that was edited by hand may not be JSON; its text is shown as it is.
    let detail =
        serde_json::from_str(&row.detail).unwrap_or_else(|_| Value::from(row.detail.as_str()));
    json!({
        "id": row.id, "at": rfc3339(row.at), "event": row.event, "outcome": row.outcome, "actor": row.actor,
        "user": row.user_id, "client": row.client_id, "network": row.network, "reference": row.reference,
        "detail": detail, "seal": row.sealed_by,
    })
}
