//! `idp key root` and `idp key reseal`: the root keys, and what needs each of them.

use flows::{
    Cx,
    root_keys::{self, BATCH, RootKeyStatus},
};
use serde_json::{Value, json};

use super::{CommandError, CommandResult, change::ChangeArgs, data_source::DataSourceArgs, print};
use crate::clock::rfc3339;

/// Prints every root key.
pub(super) async fn show(at: &DataSourceArgs, json: bool) -> CommandResult {
    let cx = at.open().await?.cx().await?;
    let report = root_keys::report(&cx).await?;
    if json {
        print::json(&report.iter().map(document).collect::<Value>());
    } else {
        print_report(&cx, &report);
    }
    Ok(())
}

/// Seals values of older root keys again, and prints what still needs each root key.
pub(super) async fn reseal(change: &ChangeArgs, json: bool) -> CommandResult {
    let authority = change.authority()?;
    let cx = change.open().await?.cx().await?;
    root_keys::ensure(&cx).await?;
    let progress = |done: u64| {
        if json {
            print::json(&json!({ "resealed": done }));
        } else {
            print::line(&format!("{done} values are sealed again."));
        }
    };
    let done = match root_keys::reseal(&cx, &authority, BATCH, progress).await? {
        Ok(done) => done,
        Err(superseded) => return Err(CommandError::new(superseded.to_string())),
    };
    let report = root_keys::report(&cx).await?;
    if json {
        let roots: Vec<Value> = report.iter().map(document).collect();
        print::json(&json!({ "resealed": done, "root_keys": roots }));
    } else {
        print::line(&format!("Done: {done} values were sealed again."));
        print_report(&cx, &report);
    }
    Ok(())
}

fn document(status: &RootKeyStatus) -> Value {
    json!({
        "id": status.id, "current": status.current, "configured": status.configured,
        "since": status.since.map(rfc3339), "sealed": status.sealed, "codes": status.codes,
        "passwords": status.passwords, "passwords_need_it": status.passwords_need_it,
        "removable_from": status.removable_from.map(rfc3339),
    })
}

fn print_report(cx: &Cx, report: &[RootKeyStatus]) {
    for status in report {
        let RootKeyStatus { id, sealed, codes, passwords, .. } = status;
        print::line(&format!(
            "{id}: {}. {sealed} sealed values, {codes} codes, {passwords} password hashes.",
            status_text(cx, status)
        ));
    }
}

fn status_text(cx: &Cx, status: &RootKeyStatus) -> String {
    if status.current {
        return "current".to_owned();
    }
    if !status.configured {
        return "gone, and not needed".to_owned();
    }
    match status.removable_from {
        Some(from) if from <= cx.now => "its file may go".to_owned(),
        Some(from) => format!(
            "its file may go from {}, when pages that it sealed have expired",
            rfc3339(from)
        ),
        None if status.since.is_none() && status.sealed + status.codes + status.passwords == 0 => {
            "not used yet".to_owned()
        }
        None => needed_by_text(status),
    }
}

fn needed_by_text(status: &RootKeyStatus) -> String {
    let mut by = Vec::new();
    if status.sealed > 0 {
        by.push("sealed values (run `idp key reseal`)");
    }
    if status.codes > 0 {
        by.push("codes (over in a few hours)");
    }
    if status.passwords_need_it {
        by.push("password hashes (each until its owner signs in)");
    }
    format!("still needed by {}", by.join(", "))
}
