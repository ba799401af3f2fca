//! A migration only expands: the older program keeps working on the new schema while an upgrade is rolled out.

use super::{assert_none, source::sources, sql::statements, suppressions::word_positions};

/// Marks, on the line before it, a statement that removes something, with the reason why no running program needs it.
const CONTRACT: &str = "-- contract:";

/// A statement of a migration, as upper-case text in one line.
struct Step {
    text: String,
    line: usize,
    /// Whether the line before it gives the reason why it may remove something.
    contract: bool,
}

/// The statements of a migration.
fn steps(sql: &str) -> Vec<Step> {
    let mut found = Vec::new();
    let (mut text, mut begin, mut contract) = (String::new(), 0, false);
    for (number, line) in sql.lines().enumerate() {
        if text.is_empty() {
            begin = number + 1;
            if let Some(reason) = line.trim().strip_prefix(CONTRACT) {
                contract = reason.trim().len() >= 20;
                continue;
            }
        }
        let code = line.split("--").next().unwrap_or_default();
        for piece in code.split_inclusive(';') {
            text.push_str(&piece.trim().to_uppercase());
            text.push(' ');
            if piece.ends_with(';') {
                let whole = text.trim_end_matches([' ', ';']).to_owned();
                found.push(Step { text: whole, line: begin, contract });
                (text, contract) = (String::new(), false);
            }
        }
        if text.trim().is_empty() {
            text.clear();
        }
    }
    found
}

/// The word after a phrase.
fn word_after<'a>(text: &'a str, phrase: &str) -> &'a str {
    let rest = text.split_once(phrase).map_or("", |(_, rest)| rest);
    rest.trim_start().split([' ', '(', ',']).next().unwrap_or_default()
}

/// Table and column of an `ADD COLUMN`.
fn added_column(text: &str) -> Option<(&str, &str)> {
    text.contains(" ADD COLUMN ")
        .then(|| (word_after(text, "ALTER TABLE "), word_after(text, " ADD COLUMN ")))
}

/// The tables and columns that a migration adds: no older program writes them.
fn new_names(steps: &[Step]) -> Vec<&str> {
    let tables = steps.iter().filter(|s| s.text.starts_with("CREATE TABLE "));
    let columns =
        steps.iter().filter_map(|step| added_column(&step.text)).map(|(_, column)| column);
    tables.map(|step| word_after(&step.text, "CREATE TABLE ")).chain(columns).collect()
}

/// How a statement would break an older program.
fn breaks_older_program(step: &Step, new: &[&str]) -> Option<&'static str> {
    let text = step.text.as_str();
    if step.contract || text.starts_with("CREATE TABLE ") || text.starts_with("CREATE INDEX ") {
        return None;
    }
    if text.starts_with("INSERT INTO ") && !text.contains(" SELECT ") {
        return None;
    }
    if let Some(index) = text.strip_prefix("CREATE UNIQUE INDEX ") {
        let table = word_after(index, " ON ");
        let columns = index.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let columns = columns.map_or("", |(columns, _)| columns);
        let fresh = columns.split(',').all(|column| new.contains(&column.trim()));
        return (!fresh && !new.contains(&table))
            .then_some("it may write duplicates: make only new tables and new columns unique");
    }
    if added_column(text).is_some() {
        let required = text.contains("NOT NULL") && !text.contains(" DEFAULT ");
        return required
            .then_some("it does not write the new column: let it be NULL, or give it a default");
    }
    Some("it needs the old state: add the new beside it, and remove the old in a later release")
}

/// The migrations, by name; the first one creates the schema. Migrations of the tests follow the same rules.
fn migrations() -> Vec<(String, String)> {
    let folders = ["migrations", "tests/migrations/expand", "tests/migrations/contract"];
    let mut found: Vec<_> = folders.into_iter().flat_map(files).collect();
    found.retain(|(name, _)| !name.starts_with("migrations/0001_"));
    found.sort();
    found
}

/// The migrations of a folder, by path.
fn files(folder: &str) -> Vec<(String, String)> {
    std::fs::read_dir(vestibule_tests::workspace_root().join(folder))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "sql"))
        .map(|path| {
            let name = path.file_name().unwrap_or_default().display();
            (format!("{folder}/{name}"), std::fs::read_to_string(&path).expect("a migration"))
        })
        .collect()
}

#[test]
fn migrations_only_expand() {
    let mut findings = Vec::new();
    for (name, text) in migrations() {
        let steps = steps(&text);
        assert!(!steps.is_empty(), "{name} has no statement; correct how this test finds them");
        let new = new_names(&steps);
        findings.extend(steps.iter().filter_map(|step| {
            breaks_older_program(step, &new)
                .map(|why| format!("{name}:{}: {}: {why}", step.line, step.text))
        }));
    }
    assert_none(
        &findings,
        "the program before an upgrade must run on the schema after it (migrations/README.md):",
    );
}

/// An unqualified column of a join becomes ambiguous when another of its tables gains a column of that name, and the older
/// program's statement fails.
#[test]
fn new_column_leaves_joins_unambiguous() {
    let mut findings = Vec::new();
    let joined: Vec<(String, String)> = sources()
        .iter()
        .filter(|source| source.krate() == "store")
        .flat_map(|source| {
            statements(source).into_iter().map(|(fact, text)| (source.location(&fact.at), text))
        })
        .filter(|(_, text)| text.contains(" JOIN "))
        .collect();
    assert!(joined.len() > 4, "{} joined statements were found", joined.len());
    for (name, text) in migrations() {
        for step in steps(&text) {
            let Some((table, column)) = added_column(&step.text) else { continue };
            findings.extend(
                joined
                    .iter()
                    .filter(|(_, sql)| {
                        word_positions(sql, table).next().is_some() && is_bare(sql, column)
                    })
                    .map(|(place, _)| format!("{name}:{}: {column}, in {place}", step.line)),
            );
        }
    }
    assert_none(
        &findings,
        "give the column another name, these statements use it without a table:",
    );
}

/// Whether a statement uses a column without its table.
fn is_bare(sql: &str, column: &str) -> bool {
    word_positions(sql, column).any(|at| !sql[..at].ends_with('.') && !sql[..at].ends_with(" AS "))
}

#[test]
fn contracting_statements_are_found() {
    let found = |sql: &str| {
        let steps = steps(sql);
        let new = new_names(&steps);
        steps.iter().filter(|step| breaks_older_program(step, &new).is_some()).count()
    };
    for sql in [
        "-- Why.\n\nALTER TABLE a ADD COLUMN b BIGINT; -- may be NULL",
        "ALTER TABLE a\n  ADD COLUMN b TEXT NOT NULL\n  DEFAULT 'x' CHECK (b <> '');",
        "CREATE TABLE a (b TEXT NOT NULL UNIQUE);\nCREATE UNIQUE INDEX a_b ON a (b);",
        "ALTER TABLE a ADD COLUMN b TEXT; CREATE UNIQUE INDEX a_b ON a (b) WHERE b IS NOT NULL;",
        "CREATE INDEX a_b ON a (b) WHERE c IS NULL;",
        "INSERT INTO revisions (topic, version) VALUES ('x', 0);",
        "-- contract: no program before 0.3 reads it, and all are newer\nALTER TABLE a DROP COLUMN b;",
    ] {
        assert_eq!(found(sql), 0, "{sql}");
    }
    for sql in [
        "ALTER TABLE a ADD COLUMN b TEXT NOT NULL;",
        "ALTER TABLE a DROP COLUMN b;",
        "ALTER TABLE a RENAME COLUMN b TO c;",
        "ALTER TABLE a RENAME TO b;",
        "ALTER TABLE a ADD CHECK (b > 0);",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL;",
        "DROP TABLE a;",
        "DROP INDEX a_b;",
        "CREATE UNIQUE INDEX a_b ON a (b);",
        "CREATE TABLE a_new (b TEXT); INSERT INTO a_new SELECT b FROM a;",
        "UPDATE a SET b = 1;",
        "DELETE FROM a;",
        "-- contract: short\nDROP TABLE a;",
        "-- contract: no program before 0.3 reads it, and all are newer\nSELECT 1; DROP TABLE a;",
    ] {
        assert_eq!(found(sql), 1, "{sql}");
    }
    assert!(is_bare("SELECT SCOPES FROM A JOIN B", "SCOPES"));
    assert!(!is_bare("SELECT A.SCOPES AS SCOPES FROM A JOIN B", "SCOPES"));
}
