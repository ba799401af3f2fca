//! No CHECK of the schema lists values of a set that grows: SQLite cannot change a CHECK, and a newer program adds a value.

use super::assert_none;

/// Every CHECK that lists values, by its name, and why it may do so.
const LISTS_VALUES: [(&str, &str); 1] = [(
    "two_steps",
    "the invariant: its values cover every planned way to sign in, and adding one needs a decision",
)];

/// A migration without its comments.
fn without_comments(sql: &str) -> String {
    sql.lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every CHECK of a migration: its name, if it has one, and its condition.
fn checks(sql: &str) -> Vec<(Option<String>, String)> {
    let code = without_comments(sql);
    let mut found = Vec::new();
    for (at, word) in code.to_uppercase().match_indices("CHECK") {
        let (before, after) = (code[..at].trim_end(), code[at + word.len()..].trim_start());
        if !after.starts_with('(') {
            continue;
        }
        let mut words = before.rsplit(char::is_whitespace);
        let (name, constraint) = (words.next(), words.next());
        let is_named = constraint.is_some_and(|word| word.eq_ignore_ascii_case("constraint"));
        let name = name.filter(|_| is_named).map(str::to_owned);
        found.push((name, in_parentheses(after).to_owned()));
    }
    found
}

/// The text inside the first pair of parentheses.
fn in_parentheses(text: &str) -> &str {
    let mut open = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' if open == 1 => return &text[..=at],
            ')' => open -= 1,
            _ => {}
        }
    }
    panic!("no end of {text}")
}

/// Whether a condition names values, which are text in quotes. A number is a bound, not a list.
fn lists_values(condition: &str) -> bool {
    condition.contains('\'')
}

#[test]
fn no_check_lists_growing_values() {
    let (mut named, mut findings) = (Vec::new(), Vec::new());
    for folder in ["migrations", "tests/migrations/expand", "tests/migrations/contract"] {
        let entries =
            std::fs::read_dir(vestibule_tests::workspace_root().join(folder)).expect("a folder");
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.extension().is_none_or(|ext| ext != "sql") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a migration");
            for (name, condition) in checks(&text) {
                if !lists_values(&condition) {
                    continue;
                }
                match name.as_deref().and_then(|n| LISTS_VALUES.iter().find(|(l, _)| *l == n)) {
                    Some((listed, _)) => named.push(*listed),
                    None => findings.push(format!("{}: {condition}", path.display())),
                }
            }
        }
    }
    assert_none(&findings, "Rust's type lists these values: SQLite cannot change a CHECK:");
    assert_eq!(named, LISTS_VALUES.map(|(name, _)| name), "each row is in a migration, once");
}

#[test]
fn value_listing_check_is_found() {
    let sql = "CREATE TABLE a (
                   b TEXT CHECK (b IN ('x', 'y')), -- CHECK (b = 'no check')
                   c BIGINT check((c > 0) = (d IS NULL)),
                   CONSTRAINT named CHECK (\n(b = 'x') OR (c = 1))
               );";
    let found: Vec<_> =
        checks(sql).into_iter().map(|(name, text)| (name, lists_values(&text))).collect();
    assert_eq!(found, [(None, true), (None, false), (Some("named".to_owned()), true)]);
}
