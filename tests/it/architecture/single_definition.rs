//! Things that have one definition or one place: each list, each table, each way to write.

use std::collections::HashSet;

use super::{
    assert_none,
    facts::{Fact, FactKind},
    source::{source, sources, sources_outside},
};

/// Where the program has a fact of a kind, outside of some places.
fn found_outside(kind: FactKind, is_it: impl Fn(&Fact) -> bool, places: &[&str]) -> Vec<String> {
    let others = sources().iter().filter(|s| !places.iter().any(|place| s.is_in(place)));
    let found = others.flat_map(|source| {
        let facts = source.production(kind).filter(|fact| is_it(fact));
        facts.map(|fact| format!("{}: {}", source.location(&fact.at), fact.name))
    });
    found.collect()
}

/// The last segment of a fact's name.
fn last(fact: &Fact) -> &str {
    fact.name.rsplit("::").next().unwrap_or_default()
}

#[test]
fn errors_become_responses_in_one_file() {
    let file = "idp/src/http/error.rs";
    let is_it = |fact: &Fact| last(fact) == "IntoResponse";
    assert_none(
        &found_outside(FactKind::Impl, is_it, &[file]),
        "only idp/src/http/error.rs turns errors into responses; give `Failure` a variant, or render a page in the handler:",
    );
    let here = source(file).production(FactKind::Impl).filter(|fact| is_it(fact)).count();
    assert_eq!(here, 1, "{file}: one impl, of `Failure`");
}

#[test]
fn routes_are_in_one_table() {
    const METHODS: [&str; 5] = ["route", "route_service", "nest", "nest_service", "merge"];
    let places = ["idp/src/http/routes.rs", "idp/src/http/ops.rs", "idp/src/dev"];
    let mut findings =
        found_outside(FactKind::Method, |fact| METHODS.contains(&fact.name.as_str()), &places);
    let is_router = |fact: &Fact| fact.name == "Router::new" || fact.means("axum::Router::new");
    findings.extend(found_outside(FactKind::Path, is_router, &places));
    assert_none(
        &findings,
        "a route is a line of ROUTES in idp/src/http/routes.rs, with its class:",
    );
}

#[test]
fn write_transactions_begin_in_one_place() {
    // Outside `store` no code has a pool to begin on.
    let places = ["store/src/db.rs", "keys", "flows", "idp"];
    let begins = |fact: &Fact| ["begin", "begin_with", "acquire"].contains(&fact.name.as_str());
    let mut findings = found_outside(FactKind::Method, begins, &places);
    let is_sqlx =
        |meaning: &String| meaning.starts_with("sqlx") && meaning.ends_with("::Transaction");
    let is_it = |fact: &Fact| fact.meanings.iter().any(is_sqlx);
    findings.extend(found_outside(FactKind::Path, is_it, &places));
    assert_none(&findings, "a write transaction begins in `Db::write` alone (store/src/db.rs):");
    let db = source("store/src/db.rs");
    let engines = ["writer.begin", "pool.begin"].map(|call| {
        let calls = db.production(FactKind::Method).filter(|fact| fact.name == "begin");
        calls.filter(|fact| db.text[..fact.at.end].ends_with(call)).count()
    });
    assert_eq!(engines, [1, 1], "store/src/db.rs: each engine begins in one place, `Db::begin`");
    assert!(
        !db.text.contains("pub async fn begin"),
        "store/src/db.rs: `begin` stays private, so that `write` commits"
    );
}

/// A statement that is its own transaction may run twice: only the claim of a job is known to allow it.
#[test]
fn lone_statement_writes_in_one_place() {
    let is_it = |fact: &Fact| fact.name == "write_autocommit";
    let file = "flows/src/jobs/queue.rs";
    assert_none(
        &found_outside(FactKind::Method, is_it, &[file]),
        "write in `Db::write`; only the claim of a job may run twice:",
    );
    let here = source(file).production(FactKind::Method).filter(|fact| is_it(fact)).count();
    assert_eq!(here, 1, "{file}: one statement, the claim");
}

#[test]
fn settings_are_in_one_list() {
    let file = "flows/src/settings/list.rs";
    let lists = sources().iter().flat_map(|source| {
        let calls = source.production(FactKind::Macro).filter(|fact| last(fact) == "settings");
        calls.filter(|fact| source.text[fact.at.end..].starts_with("! {"))
    });
    assert_eq!(lists.count(), 1, "settings are in one list, in {file}");
    let is_setting = |fact: &Fact| fact.means("flows::settings::list::Setting");
    assert_none(
        &found_outside(FactKind::Value, is_setting, &[file]),
        "a setting is a line of the list in flows/src/settings/list.rs:",
    );
}

/// A setting without an effect would mislead the security team that changes it.
#[test]
fn every_setting_is_read() {
    let file = "flows/src/settings/list.rs";
    let (_, list) = source(file).text.split_once("\nsettings! {").expect("the list");
    let (list, _) = list.split_once("\n}").expect("its end");
    let rows = list
        .lines()
        .filter_map(|line| line.split_once(": Duration").or_else(|| line.split_once(": Count")));
    let fields: Vec<&str> = rows.map(|(field, _)| field.trim()).collect();
    assert_eq!(fields.len(), flows::settings::ALL.len(), "the list is read as it is written");
    let others = sources().iter().filter(|source| source.path != file);
    let read: HashSet<&str> =
        others.flat_map(|s| s.production(FactKind::Field)).map(|fact| fact.name.as_str()).collect();
    let unread = fields.into_iter().filter(|field| !read.contains(field)).map(str::to_owned);
    assert_none(
        &unread.collect::<Vec<_>>(),
        "a setting that nothing reads: use it, or take it off the list in flows/src/settings/list.rs:",
    );
}

#[test]
fn audit_rows_are_made_in_one_file() {
    let mut names: Vec<&str> =
        flows::audit::Event::ALL.iter().map(|event| event.as_str()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "two events of flows/src/audit/event.rs have one name");
    let is_row = |fact: &Fact| last(fact) == "AuditRow" || fact.means("store::audit::AuditRow");
    assert_none(
        &found_outside(FactKind::Value, is_row, &["flows/src/audit/mod.rs", "store/src/audit.rs"]),
        "an audit row is written by `flows::audit::record`:",
    );
}

#[test]
fn every_audit_event_is_recorded() {
    let made: HashSet<&str> = sources_outside("store")
        .flat_map(|source| {
            source.production(FactKind::Value).chain(source.production(FactKind::Impl))
        })
        .flat_map(|fact| &fact.meanings)
        .filter_map(|meaning| meaning.strip_prefix("flows::audit::event::"))
        .collect();
    let events = flows::audit::Event::ALL.iter().map(|event| format!("{event:?}"));
    let silent: Vec<String> = events.filter(|name| !made.contains(name.as_str())).collect();
    assert_none(
        &silent,
        "an event that nothing records: record it, or take it out of flows/src/audit/event.rs:",
    );
}

/// One clock and one source of randomness; clippy.toml bans the rest, and each listed file has the one exception.
#[test]
fn clippy_exceptions_are_in_listed_files() {
    let homes = [
        "idp/src/clock.rs",
        "idp/src/config",
        "idp/src/fetch.rs",
        "idp/src/jobs",
        "keys/src",
        "store/src/ephemeral/breaker.rs",
    ];
    let is_exception = |fact: &Fact| fact.name.contains("disallowed_methods");
    assert_none(
        &found_outside(FactKind::Attribute, is_exception, &homes),
        "take time, randomness, configuration and the HTTP client as parameters (clippy.toml says from where):",
    );
}
