//! Which fields the rows of each event have: a table over all events, compared with rows that the program wrote.

use std::collections::{BTreeMap, BTreeSet};
use vestibule_tests::db::Engine;

use flows::audit::{COMMON, Event};
use store::audit::AuditRow;

use super::{event_scenarios, trail};
use crate::engines::{apply, both_engines};

/// Whether a row has a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Always,
    /// Only where the value is known; the rows of this test must show both.
    WhenKnown,
    Never,
}

use Presence::{Always, Never, WhenKnown};

impl Presence {
    /// The word of the document.
    const fn word(self) -> &'static str {
        match self {
            Always => "always",
            WhenKnown => "where known",
            Never => "never",
        }
    }

    fn matches(self, seen: &BTreeSet<bool>) -> bool {
        match self {
            Always => *seen == BTreeSet::from([true]),
            WhenKnown => *seen == BTreeSet::from([false, true]),
            Never => *seen == BTreeSet::from([false]),
        }
    }
}

/// The actors of an event, and whether its rows have a subject, a client and a network. Every row has reference, outcome and
/// detail.
const fn fields(event: Event) -> (&'static [&'static str], Presence, Presence, Presence) {
    match event {
        Event::SequenceFailed | Event::AttemptCancelled => (&["person"], WhenKnown, Always, Always),
        Event::PasskeyChecked | Event::PasswordChecked => {
            (&["person"], WhenKnown, WhenKnown, Always)
        }
        // A person who signs in to a page of their account comes from no client.
        Event::CodeChecked | Event::CodeRequested | Event::SignedIn => {
            (&["person"], Always, WhenKnown, Always)
        }
        Event::MethodAdded
        | Event::MethodRenamed
        | Event::MethodRemoved
        | Event::RecoveryCodesMade => (&["person"], Always, Never, Always),
        Event::TotpChecked
        | Event::RecoveryCodeChecked
        | Event::ConsentGiven
        | Event::ConsentRefused
        | Event::CodeIssued
        | Event::PasswordChanged => (&["person"], Always, Always, Always),
        Event::CodeAccepted => (&["system"], Always, WhenKnown, Always),
        Event::MailFailed => (&["system"], Always, WhenKnown, WhenKnown),
        Event::TokensIssued | Event::CodeReused => (&["client"], Always, Always, Always),
        Event::TokenRefused => (&["client"], WhenKnown, Always, Always),
        Event::NetworkLimited => (&["person", "client"], WhenKnown, WhenKnown, Always),
        Event::SignedOut => (&["person"], Always, WhenKnown, Always),
        Event::UserChanged => (&["cli", "person"], Always, Never, WhenKnown),
        Event::UserAdded | Event::ResetForced | Event::DevicesForgotten => {
            (&["cli"], Always, Never, Never)
        }
        Event::ClientAdded | Event::ClientRemoved => (&["cli"], Never, Always, Never),
        Event::ClientChanged => (&["cli", "system"], Never, Always, Never),
        Event::SettingChanged
        | Event::SigningKeyAdded
        | Event::SigningKeyRotated
        | Event::SigningKeyEnded => (&["cli", "system"], Never, Never, Never),
        Event::RootKeyCurrent
        | Event::RootKeyResealed
        | Event::GuessBudgetExceeded
        | Event::UnprovenGrants => (&["system"], Never, Never, Never),
    }
}

/// The kind of an actor: the part before a command's user or a part of the program.
fn kind(row: &AuditRow) -> &str {
    row.actor.split(':').next().unwrap_or_default()
}

fn assert_row_fields(event: Event, rows: &[&AuditRow]) {
    assert!(!rows.is_empty(), "{event:?} was not written: let event_scenarios.rs cause it");
    let (actors, user, client, network) = fields(event);
    let seen: BTreeSet<&str> = rows.iter().map(|row| kind(row)).collect();
    assert_eq!(seen, actors.iter().copied().collect(), "actors of {event:?}: {rows:#?}");
    for (field, has, present) in [
        ("user", user, (|row| row.user_id.is_some()) as fn(&AuditRow) -> bool),
        ("client", client, |row| row.client_id.is_some()),
        ("network", network, |row| row.network.is_some()),
    ] {
        let seen = rows.iter().map(|row| present(row)).collect();
        assert!(has.matches(&seen), "{field} of {event:?} is {}: {rows:#?}", has.word());
    }
    for row in rows {
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        assert!(row.reference.len() == 6 && row.reference.chars().all(plain), "{row:?}");
        assert!(!row.outcome.is_empty() && row.at.millis() > 0, "{row:?}");
        let detail: serde_json::Value = serde_json::from_str(&row.detail).expect("JSON");
        assert_known(event, row, &detail);
        let named = row.actor.strip_prefix(kind(row)).expect("its beginning");
        assert_eq!(["system", "cli"].contains(&kind(row)), named.len() > 1, "{row:?}");
        assert!(row.network.as_deref().is_none_or(|network| network == "127.0.0.1"), "{row:?}");
    }
}

/// The outcome and the keys of the detail are declared for the event, and an operator's change has a reason.
fn assert_known(event: Event, row: &AuditRow, detail: &serde_json::Value) {
    assert!(event.outcomes().contains(&row.outcome.as_str()), "{row:?}");
    for (key, value) in detail.as_object().expect("an object") {
        let known = event.keys().iter().chain(&COMMON).any(|known| known == key);
        assert!(known && !value.is_null(), "{key} of {row:?}");
    }
    let reason = detail["reason"].as_str();
    assert!(kind(row) != "cli" || reason.is_some_and(|reason| !reason.is_empty()), "{row:?}");
}

/// A mail's rows have the reference of the page that requested it.
fn assert_mails_name_their_request(trail: &[AuditRow]) {
    let challenge = |row: &AuditRow| {
        let detail: serde_json::Value = serde_json::from_str(&row.detail).expect("JSON");
        let named = detail.get("challenge").or_else(|| detail.pointer("/mail/challenge"));
        named.and_then(|id| id.as_str()).map(str::to_owned)
    };
    let of = |row: &AuditRow| (row.reference.clone(), row.network.clone(), row.client_id.clone());
    let mut asked = BTreeMap::new();
    for row in trail.iter().filter(|row| row.event == "code.requested") {
        asked
            .entry(challenge(row).expect("a challenge"))
            .or_insert_with(BTreeSet::new)
            .insert(of(row));
    }
    let mut mailed = 0;
    for row in trail.iter().filter(|row| kind(row) == "system") {
        if let Some(challenge) = challenge(row) {
            assert!(asked[&challenge].contains(&of(row)), "{row:?}: asked for by {asked:?}");
            mailed += 1;
        }
    }
    assert!(mailed > 3, "{mailed} ends of mails with a code");
}

#[apply(both_engines)]
async fn every_event_has_its_fields(engine: Engine) {
    let app = event_scenarios::record_every_event(engine).await;
    let trail = trail(&app).await;
    for event in Event::ALL {
        let rows: Vec<_> = trail.iter().filter(|row| row.event == event.as_str()).collect();
        assert_row_fields(*event, &rows);
    }
    let known: BTreeSet<_> = Event::ALL.iter().map(|event| event.as_str()).collect();
    assert!(trail.iter().all(|row| known.contains(row.event.as_str())));
    assert_mails_name_their_request(&trail);
    println!("{engine:?}: {} rows of {} events", trail.len(), known.len());
}

fn document() -> String {
    let file = vestibule_tests::workspace_root().join("docs/audit.md");
    std::fs::read_to_string(file).expect("the document")
}

/// The keys of an event's detail, as the document lists them.
fn keys(event: Event) -> String {
    let keys: Vec<_> = event.keys().iter().map(|key| format!("`{key}`")).collect();
    if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
}

/// Every outcome that the tables of the document explain, by event: a row without an event belongs to the event above it.
fn explained_outcomes(document: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut explained = BTreeMap::new();
    let mut event = "";
    for line in document.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, first, outcomes, _, _] = cells[..] else { continue };
        if !first.is_empty() {
            event = first.trim_matches('`');
        }
        if Event::ALL.iter().any(|known| known.as_str() == event) {
            let words = outcomes.split(", ").map(|word| word.trim_matches('`'));
            explained.entry(event).or_insert_with(Vec::new).extend(words);
        }
    }
    explained
}

/// The document explains each outcome, and none that cannot occur.
#[test]
fn document_explains_each_outcome_once() {
    let text = document();
    let explained = explained_outcomes(&text);
    for event in Event::ALL {
        let found: BTreeSet<_> = explained[event.as_str()].iter().collect();
        assert_eq!(found.len(), explained[event.as_str()].len(), "{event:?}: once");
        assert_eq!(found, event.outcomes().iter().collect(), "{event:?} in docs/audit.md");
    }
}

/// The table of docs/audit.md has the same fields.
#[test]
fn document_lists_fields_of_each_event() {
    let text = document();
    for event in Event::ALL {
        let (actors, user, client, network) = fields(*event);
        let actors: Vec<_> = actors.iter().map(|actor| format!("`{actor}`")).collect();
        let row = format!(
            "| `{}` | {} | {} | {} | {} | {} |",
            event.as_str(),
            actors.join(", "),
            user.word(),
            client.word(),
            network.word(),
            keys(*event),
        );
        assert!(text.contains(&row), "docs/audit.md lacks\n{row}");
    }
}
