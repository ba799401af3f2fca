//! SQL is in `store` and `migrations` only, and one text works on both engines.

use super::{
    assert_none,
    facts::{Fact, FactKind},
    source::{Source, source, sources},
    sql_fragments::joined_statements,
};

/// How a statement begins.
const VERBS: [&str; 13] = [
    "SELECT ",
    "INSERT INTO",
    "UPDATE ",
    "DELETE FROM",
    "CREATE TABLE",
    "CREATE INDEX",
    "ALTER TABLE",
    "DROP TABLE",
    "WITH ",
    "BEGIN",
    "PRAGMA",
    "VACUUM",
    "ANALYZE ",
];

/// What works on one engine only, or what a database should not decide for us, and what to write instead.
const NOT_PORTABLE: [(&str, &str); 18] = [
    ("FOR UPDATE", "guard the write itself in its WHERE"),
    ("FOR SHARE", "guard the write itself in its WHERE"),
    ("SKIP LOCKED", "claim with a guarded UPDATE"),
    ("NOW()", "bind the time of the request"),
    ("CURRENT_TIMESTAMP", "bind the time of the request"),
    ("DATETIME(", "bind the time of the request"),
    ("UNIXEPOCH(", "bind the time of the request"),
    ("INTERVAL ", "compute in Rust and bind"),
    ("RANDOM()", "bind what `keys::Rng` gives"),
    ("GEN_RANDOM_UUID", "bind an id of ours"),
    ("ILIKE", "store a canonical column and compare equal"),
    ("::", "write CAST(.. AS ..)"),
    ("SERIAL", "ids come from Rust"),
    ("AUTOINCREMENT", "ids come from Rust"),
    ("DISTINCT ON", "write a guarded subquery"),
    ("INSERT OR ", "write ON CONFLICT"),
    ("TIMESTAMPTZ", "time is BIGINT Unix milliseconds"),
    (" ANY(", "bind each value"),
];

/// Statement texts that bypass `Sql::q`: the function, and how many. Four differ by engine: the clock, the beginning of
/// a transaction, the refresh of statistics (whose list of tables is made by a macro), and what PostgreSQL receives
/// when a connection is opened. The list may become shorter, never longer.
const BESIDE_THE_BUILDER: [(&str, &str, usize); 4] = [
    ("store/src/db.rs", "begin", 2),
    ("store/src/db.rs", "clock", 2),
    ("store/src/db/engine.rs", "", 1),
    ("store/src/db/statistics.rs", "", 2),
];

fn is_sql(text: &str) -> bool {
    let text = text.trim_start();
    VERBS.iter().any(|verb| text.starts_with(verb))
        || ["SELECT ", "INSERT INTO", "DELETE FROM"].iter().any(|verb| text.contains(verb))
}

/// Statements of the program, joined ones included, each as upper-case text in one line.
pub(super) fn statements(source: &Source) -> Vec<(&Fact, String)> {
    let joined = joined_statements(source);
    let is_part = |fact: &Fact| joined.iter().any(|(at, _)| at.contains(&fact.at.start));
    let in_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    let whole =
        source.production(FactKind::Text).filter(|fact| is_sql(&fact.name) && !is_part(fact));
    let whole = whole.map(|fact| (fact, in_line(&fact.name)));
    let calls = source.production(FactKind::Macro).filter_map(|fact| {
        let call = joined.iter().find(|(at, _)| at.start == fact.at.start);
        call.map(|(_, text)| (fact, in_line(text)))
    });
    whole.chain(calls).collect()
}

#[test]
fn sql_is_in_store_alone() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.krate() != "store") {
        findings.extend(
            statements(source)
                .into_iter()
                .map(|(fact, text)| format!("{}: {text}", source.location(&fact.at))),
        );
    }
    assert_none(&findings, "a statement is a function in the file of its table in store/src:");
}

#[test]
fn statement_runs_on_both_engines() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.krate() == "store") {
        for (fact, text) in statements(source) {
            let place = source.location(&fact.at);
            let beside = BESIDE_THE_BUILDER
                .iter()
                .any(|(file, function, _)| *file == source.path && *function == fact.function);
            let bad = NOT_PORTABLE.iter().filter(|(sql, _)| !beside && text.contains(sql));
            findings.extend(bad.map(|(sql, instead)| format!("{place}: {sql}: {instead}")));
            if text.contains('?') {
                findings.push(format!("{place}: only SQLite binds with `?`: write $1"));
            }
        }
    }
    assert_none(&findings, "one text serves both engines:");
}

/// Statements that compare an epoch with another one than a person's: the daily comparison of a grant with its sign-in.
const NO_GUARD: [(&str, &str); 1] = [("store/src/grant.rs", "check_proofs")];

/// A guard against a forced reset also refuses an account that is not active.
#[test]
fn epoch_guard_checks_status() {
    let (mut findings, mut guards) = (Vec::new(), 0);
    for source in sources().iter().filter(|source| source.krate() == "store") {
        for (fact, text) in statements(source) {
            let compares = text.replace("SET EPOCH = EPOCH + 1", "").contains("EPOCH = ");
            if !compares || NO_GUARD.contains(&(source.path.as_str(), fact.function.as_str())) {
                continue;
            }
            guards += 1;
            if !text.contains("STATUS = 'ACTIVE'") {
                findings.push(format!("{}: {text}", source.location(&fact.at)));
            }
        }
    }
    assert!(guards >= 6, "{guards} guards were found; correct how this test finds them");
    assert_none(&findings, "a guard on users.epoch also checks users.status = 'active':");
}

/// PostgreSQL refuses a prepared statement whose result columns changed: `SELECT *` of a running replica fails on every
/// connection as soon as a migration adds a column.
#[test]
fn selected_columns_are_named() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.krate() == "store") {
        for (fact, text) in statements(source) {
            if ["SELECT *", "RETURNING *", ".*"].iter().any(|all| text.contains(all)) {
                findings.push(format!("{}: {text}", source.location(&fact.at)));
            }
        }
    }
    assert_none(&findings, "name each column, so that a table may grow under a running replica:");
}

/// A sealed table that is not on the list would need an old root key for ever.
#[test]
fn every_sealed_column_is_resealed() {
    let folder = vestibule_tests::workspace_root().join("migrations");
    let list: Vec<&Fact> = source("store/src/sealed.rs").all(FactKind::Text).collect();
    let listed = |start: &str| list.iter().filter(|text| text.name.contains(start)).count();
    let mut tables = 0;
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("text");
        for table in text.split("CREATE TABLE ").skip(1) {
            let (name, rest) = table.split_once(" (").expect("a name");
            let columns = rest.split(");").next().unwrap_or_default();
            if !columns.lines().any(|line| line.trim_start().starts_with("sealed ")) {
                continue;
            }
            tables += 1;
            let places = [
                format!("'{name}' AS home"),
                format!("UPDATE {name} SET"),
                format!("FROM {name} WHERE"),
            ];
            findings.extend(places.into_iter().filter(|place| listed(place) == 0));
        }
    }
    assert!(tables >= 2, "{tables} tables were found; correct how this test finds them");
    assert_none(
        &findings,
        "a table with a column `sealed` joins the statements of store/src/sealed.rs:",
    );
}

#[test]
fn migration_runs_on_both_engines() {
    let folder = vestibule_tests::workspace_root().join("migrations");
    let mut findings = Vec::new();
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|ext| ext != "sql") {
            continue;
        }
        files += 1;
        let text = std::fs::read_to_string(&path).expect("a migration");
        for (number, line) in text.lines().enumerate() {
            let statement = line.split("--").next().unwrap_or_default().to_uppercase();
            let also =
                [(" STRICT", "it is SQLite's alone"), ("[]", "arrays are PostgreSQL's alone")];
            let bad = NOT_PORTABLE.iter().chain(&also).filter(|(sql, _)| statement.contains(sql));
            let name = path.file_name().unwrap_or_default().display();
            findings.extend(
                bad.map(|(sql, instead)| format!("{name}:{}: {sql}: {instead}", number + 1)),
            );
        }
    }
    assert!(files > 0, "migrations/ has the schema");
    assert_none(&findings, "one migration serves both engines:");
}

/// Whether a text is in a macro of ours, and no statement by itself: it is joined to one where that is written.
fn is_part_of_statements(before: &str, text: &str) -> bool {
    let is_in_macro =
        before.rfind("macro_rules!").is_some_and(|at| !before[at..].contains("\n}\n"));
    is_in_macro && !VERBS.iter().any(|verb| text.starts_with(verb.trim_end()))
}

/// Every statement uses the builder, so that one text works on both engines; the exceptions are counted.
#[test]
fn statement_goes_through_builder() {
    let mut found: Vec<(String, String, usize)> = Vec::new();
    for source in sources().iter().filter(|source| source.krate() == "store") {
        for (fact, text) in statements(source) {
            let before = &source.text[..fact.at.start];
            if before.trim_end().ends_with(".q(") || is_part_of_statements(before, &text) {
                continue;
            }
            let function = &fact.function;
            match found.iter_mut().find(|(file, name, _)| *file == source.path && name == function)
            {
                Some((_, _, count)) => *count += 1,
                None => found.push((source.path.clone(), function.clone(), 1)),
            }
        }
    }
    found.sort();
    let wanted =
        BESIDE_THE_BUILDER.map(|(file, name, count)| (file.to_owned(), name.to_owned(), count));
    assert_eq!(
        found, wanted,
        "write the statement as `sql.q(\"..\")`, so that one text serves both engines; if an engine truly needs its own, \
         decide it, then add it to BESIDE_THE_BUILDER"
    );
}

#[test]
fn engine_is_known_to_db_alone() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.path != "store/src/db.rs") {
        let asks = |fact: &&Fact| {
            let of = fact.name.strip_suffix("::Sqlite").or(fact.name.strip_suffix("::Postgres"));
            of.is_some_and(|of| {
                ["Tx", "Conn", "Db"].iter().any(|name| of.rsplit("::").next() == Some(name))
            })
        };
        findings
            .extend(source.production(FactKind::Path).filter(asks).map(|f| source.location(&f.at)));
    }
    assert_none(
        &findings,
        "one text serves both engines: only store/src/db.rs may branch on the engine:",
    );
}

#[test]
fn sql_is_distinguished_from_prose() {
    for text in [
        "SELECT 1",
        "\n  INSERT INTO a",
        "WITH a AS (SELECT 1)",
        "BEGIN IMMEDIATE",
        "UPDATE a SET b = 1",
    ] {
        assert!(is_sql(text), "{text}");
    }
    for text in ["Select one", "please UPDATE it", "begin", "we begin", "beginning"] {
        assert!(!is_sql(text), "{text}");
    }
}
