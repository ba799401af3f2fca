//! One list, one way, one place of each.

use super::{
    assert_none,
    source::{Source, closing, outside, places_of, source, sources},
};

/// Where the program contains a text, outside of some places.
fn found_outside(text: &str, places: &[&str]) -> Vec<String> {
    sources()
        .iter()
        .filter(|source| !places.iter().any(|place| source.is_in(place)))
        .flat_map(|source| {
            source
                .production
                .match_indices(text)
                .map(|(at, _)| format!("{}: {text}", source.place(at)))
        })
        .collect()
}

#[test]
fn one_file_turns_errors_into_responses() {
    let file = "idp/src/http/error.rs";
    assert_none(
        &found_outside("IntoResponse for", &[file]),
        "errors become responses in idp/src/http/error.rs alone; give `Failure` a variant, or render a page in the handler:",
    );
    let here = source(file).production.matches("IntoResponse for").count();
    assert_eq!(here, 1, "{file}: one impl, of `Failure`");
}

#[test]
fn one_table_has_the_routes() {
    let places = ["idp/src/http/routes.rs", "idp/src/http/ops.rs", "idp/src/dev"];
    for text in
        [".route(", ".route_service(", ".nest(", ".nest_service(", ".merge(", "Router::new("]
    {
        assert_none(
            &found_outside(text, &places),
            "a route is a line of ROUTES in idp/src/http/routes.rs, with its class:",
        );
    }
}

#[test]
fn one_place_begins_write_transactions() {
    // Outside `store` nobody has a pool to begin on.
    let places = ["store/src/db.rs", "keys", "flows", "idp"];
    for text in [".begin(", ".begin_with(", "Transaction<", ".acquire("] {
        assert_none(
            &found_outside(text, &places),
            "a write transaction begins in `Db::write` alone (store/src/db.rs):",
        );
    }
    let here = &source("store/src/db.rs").production;
    let engines = [here.matches("writer.begin(").count(), here.matches("pool.begin(").count()];
    assert_eq!(engines, [1, 1], "store/src/db.rs: each engine begins in one place, `Db::begin`");
    assert!(
        !here.contains("pub async fn begin"),
        "store/src/db.rs: `begin` stays private, so that `write` commits"
    );
}

#[test]
fn one_list_has_the_settings() {
    let file = "flows/src/settings.rs";
    let lists: usize =
        sources().iter().map(|source| source.production.matches("settings! {").count()).sum();
    assert_eq!(lists, 1, "settings stand in one list, in {file}");
    assert_none(
        &found_outside("settings::Setting {", &[file]),
        "a setting is a line of the list in flows/src/settings.rs:",
    );
}

/// A setting that nothing reads would be a promise to the security team that nobody keeps.
#[test]
fn every_setting_is_read() {
    let list = &source("flows/src/settings.rs").production;
    let open = list.find("settings! {").expect("the list") + "settings! ".len();
    let fields: Vec<&str> = list[open..closing(list, open)]
        .lines()
        .filter_map(|line| line.split_once(": Duration").or_else(|| line.split_once(": Count")))
        .map(|(field, _)| field.trim())
        .collect();
    assert_eq!(fields.len(), flows::settings::ALL.len(), "the list is read as it is written");
    let read = |field: &str| {
        let reads = |source: &Source| {
            let name = format!(".{field}");
            source.production.match_indices(&name).any(|(at, _)| {
                !source.production[at + name.len()..].starts_with(super::scan::is_name)
            })
        };
        sources().iter().filter(|source| source.path != "flows/src/settings.rs").any(reads)
    };
    let unread: Vec<String> =
        fields.into_iter().filter(|field| !read(field)).map(str::to_owned).collect();
    assert_none(
        &unread,
        "a setting that nothing reads: use it, or take it off the list in flows/src/settings.rs:",
    );
}

#[test]
fn one_vocabulary_has_the_events() {
    let mut names: Vec<&str> =
        flows::audit::Event::ALL.iter().map(|event| event.as_str()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "two events of flows/src/audit.rs have one name");
    assert_none(
        &found_outside("AuditRow {", &["flows/src/audit.rs", "store/src/audit.rs"]),
        "an audit row is written by `flows::audit::record`:",
    );
}

#[test]
fn every_event_is_recorded() {
    let recorded = |name: &str| {
        let name = format!("Event::{name}");
        outside("store").any(|source| places_of(&source.production, &name).next().is_some())
    };
    let silent: Vec<String> = flows::audit::Event::ALL
        .iter()
        .map(|event| format!("{event:?}"))
        .filter(|name| !recorded(name))
        .collect();
    assert_none(
        &silent,
        "an event that nothing records: record it, or take it out of flows/src/audit.rs:",
    );
}

/// One clock and one source of chance; clippy.toml bans the rest, and each home carries the one exception.
#[test]
fn one_home_has_each_exception_from_the_banned_methods() {
    let homes = [
        "idp/src/clock.rs",
        "idp/src/config",
        "idp/src/fetch.rs",
        "idp/src/jobs",
        "keys/src",
        "store/src/ephemeral/breaker.rs",
    ];
    let findings: Vec<String> = sources()
        .iter()
        .filter(|source| source.krate() != "tests" && !homes.iter().any(|home| source.is_in(home)))
        .flat_map(|source| {
            places_of(&source.production, "disallowed_methods").map(|at| source.place(at))
        })
        .collect();
    assert_none(
        &findings,
        "take time, chance, configuration and the HTTP client as parameters (clippy.toml says of whom):",
    );
}
