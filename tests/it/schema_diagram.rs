//! docs/schema.md: each table has its row, and the diagram has the references of the schema.

use std::{collections::BTreeSet, fmt::Write};

use store::Sql;
use vestibule_tests::db::{Engine, TestDb};

/// Tables of the program, without those of SQLite and of the migrations.
const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table'
    AND name NOT LIKE 'sqlite%' AND name NOT LIKE '%sqlx%' ORDER BY name";
/// Columns that are part of a primary key or refer to another table.
const KEY_COLUMNS: &str =
    "SELECT tables.name, columns.name, columns.type, columns.pk, columns.\"notnull\",
        COALESCE(refs.\"table\", '')
    FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
    LEFT JOIN pragma_foreign_key_list(tables.name) AS refs ON refs.\"from\" = columns.name
    WHERE tables.type = 'table' AND (columns.pk > 0 OR refs.\"table\" IS NOT NULL)
    ORDER BY tables.name, columns.cid";

/// A column that is part of a primary key or refers to another table.
struct KeyColumn {
    table: String,
    name: String,
    sql_type: String,
    is_primary: bool,
    is_required: bool,
    /// The table that it refers to, or empty.
    refers_to: String,
}

/// Names of tables, and their key columns.
async fn schema() -> (Vec<String>, Vec<KeyColumn>) {
    let db = TestDb::create(Engine::Sqlite).await.open().await;
    let mut conn = db.read().await.expect("a connection");
    let tables: Vec<(String,)> = conn.q(TABLES).fetch_all().await.expect("names");
    let rows: Vec<(String, String, String, i64, i64, String)> =
        conn.q(KEY_COLUMNS).fetch_all().await.expect("columns");
    let columns = rows.into_iter().map(|(table, name, sql_type, primary, required, refers_to)| {
        let (is_primary, is_required) = (primary > 0, required > 0);
        KeyColumn { table, name, sql_type, is_primary, is_required, refers_to }
    });
    (tables.into_iter().map(|(name,)| name).collect(), columns.collect())
}

/// A reference in mermaid's notation: `||--o{` many rows for one, `|o--o{` many for one or none, `||--o|` one for one.
fn relation(column: &KeyColumn, primary_key_size: usize) -> &'static str {
    match (column.is_primary && primary_key_size == 1, column.is_required) {
        (true, _) => "||--o|",
        (false, true) => "||--o{",
        (false, false) => "|o--o{",
    }
}

/// The diagram of tables that refer to others or are referred to.
fn diagram(columns: &[KeyColumn]) -> String {
    let mut text = "erDiagram\n".to_owned();
    let references = || columns.iter().filter(|column| !column.refers_to.is_empty());
    for column in references() {
        let mine = columns.iter().filter(|other| other.table == column.table && other.is_primary);
        let KeyColumn { refers_to, table, name, .. } = column;
        writeln!(text, "    {refers_to} {} {table} : {name}", relation(column, mine.count()))
            .expect("text");
    }
    let shown: BTreeSet<&str> =
        references().flat_map(|column| [&*column.table, &*column.refers_to]).collect();
    for table in shown {
        writeln!(text, "    {table} {{").expect("text");
        for column in columns.iter().filter(|column| column.table == table) {
            let keys = [(column.is_primary, "PK"), (!column.refers_to.is_empty(), "FK")];
            let keys: Vec<_> = keys.iter().filter(|(is, _)| *is).map(|(_, key)| *key).collect();
            writeln!(text, "        {} {} {}", column.sql_type, column.name, keys.join(", "))
                .expect("text");
        }
        writeln!(text, "    }}").expect("text");
    }
    text
}

fn document() -> String {
    std::fs::read_to_string(vestibule_tests::workspace_root().join("docs/schema.md"))
        .expect("the document")
}

#[tokio::test]
async fn diagram_has_references_of_schema() {
    let expected = diagram(&schema().await.1);
    let document = document();
    let drawn = document.split("```mermaid\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(drawn, Some(&*expected), "the diagram of docs/schema.md should be:\n{expected}");
}

#[tokio::test]
async fn each_table_has_a_row() {
    let document = document();
    let described: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let (tables, _) = schema().await;
    assert_eq!(described, tables.iter().map(String::as_str).collect(), "tables of docs/schema.md");
}
