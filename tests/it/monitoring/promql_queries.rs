//! Queries of the rules, the dashboard and the page: Prometheus can parse them, and they use labels and values that the
//! program exports. No other check finds a misspelt value: the rule never fires, and the panel stays empty.

use std::{collections::BTreeSet, fmt::Write, fs, process::Command};

use flows::audit::Event;
use idp::http::routes::ROUTES;
use serde_json::Value;
use tempfile::TempDir;

fn read(file: &str) -> String {
    fs::read_to_string(vestibule_tests::workspace_root().join(file)).expect("a file")
}

/// A query and its place.
type Query = (String, String);

/// Replaces Grafana's variables, as for a panel of one hour.
fn fill_variables(query: &str) -> String {
    query.replace("$__rate_interval", "5m").replace("$__range", "1h")
}

/// The queries of the dashboard.
fn dashboard_queries() -> Vec<Query> {
    let dashboard: Value =
        serde_json::from_str(&read("docs/monitoring/dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let queries = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| {
            let query = fill_variables(target["expr"].as_str().expect("an expression"));
            (panel["title"].to_string(), query)
        })
    });
    queries.collect()
}

/// The queries of the page: its code blocks that name a metric.
fn document_queries() -> Vec<Query> {
    let page = read("docs/monitoring.md");
    let blocks = page.split("```").skip(1).step_by(2).filter(|block| block.contains("vestibule_"));
    blocks.map(|block| ("monitoring.md".to_owned(), block.trim().to_owned())).collect()
}

/// A selector: name, label, whether it matches a regular expression, value.
type Selector = (String, String, bool, String);

/// Every label matcher of our metrics in a text.
fn selectors(text: &str) -> Vec<Selector> {
    let text = text.replace("\\\"", "\"");
    let mut found = Vec::new();
    for part in text.split("vestibule_").skip(1) {
        let Some((name, rest)) = part.split_once('{') else { continue };
        let is_name =
            name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let (true, Some((inside, _))) = (is_name, rest.split_once("\"}")) else { continue };
        for one in inside.split("\",") {
            let (label, value) = one.split_once('"').expect("a value in quotes");
            let label = label.trim();
            let plain = label.trim_end_matches(['=', '!', '~']).to_owned();
            found.push((name.to_owned(), plain, label.ends_with('~'), value.to_owned()));
        }
    }
    found
}

/// The sources with the list of a label's values, as strings.
fn value_sources(name: &str, label: &str) -> &'static [&'static str] {
    match (name, label) {
        ("refusals_total", "reason") => &["idp/src/http/error.rs"],
        (_, "task") => &["idp/src/jobs/periodic.rs"],
        (_, "lane") => &["flows/src/mail/category.rs"],
        (_, "pool") => &["store/src/db.rs"],
        (_, "step") => &["idp/src/http/step.rs", "idp/src/metrics/mod.rs"],
        (_, "outcome" | "reason" | "method") => &["idp/src/metrics/mod.rs"],
        (_, "state") => &["idp/src/metrics/scrape.rs"],
        _ => &[],
    }
}

/// Whether a label of a metric can have a value.
fn is_known(name: &str, label: &str, value: &str) -> bool {
    match label {
        "route" => ROUTES.iter().any(|route| route.path == value),
        "status" => value.parse::<u16>().is_ok_and(|status| (100..600).contains(&status)),
        "le" => value.parse::<f64>().is_ok(),
        "outcome" if ["sign_in_steps_total", "code_delay_seconds_count"].contains(&name) => {
            [Event::PasswordChecked, Event::CodeChecked]
                .iter()
                .any(|event| event.outcomes().contains(&value))
        }
        _ => {
            let quoted = format!("\"{value}\"");
            value_sources(name, label).iter().any(|file| read(file).contains(&quoted))
        }
    }
}

/// How many values the selectors of a text have, and the unknown ones.
fn wrong_selectors(text: &str) -> (usize, Vec<String>) {
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, label, is_pattern, value) in selectors(text) {
        let values: Vec<&str> = if is_pattern { value.split('|').collect() } else { vec![&value] };
        for value in values {
            count += 1;
            if !is_known(&name, &label, value) {
                wrong.push(format!("vestibule_{name}: {label}={value}"));
            }
        }
    }
    (count, wrong)
}

/// The labels of a metric in `docs/monitoring.md`; another test compares them with a scrape.
fn labels(name: &str) -> BTreeSet<String> {
    let parts = ["_bucket", "_count", "_sum"];
    let whole = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
    let page = read("docs/monitoring.md");
    let row = page.lines().find_map(|line| line.strip_prefix(&format!("| `vestibule_{whole}` |")));
    let cell = row.and_then(|row| row.split('|').next()).expect("a row of the page");
    cell.split(',').map(|label| label.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn queries_use_existing_labels_and_values() {
    let mut all = 0;
    for file in ["monitoring/alerts.yaml", "monitoring/dashboard.json", "monitoring.md"] {
        let text = read(&format!("docs/{file}"));
        let (count, wrong) = wrong_selectors(&text);
        assert!(
            wrong.is_empty(),
            "docs/{file} uses values that the program never exports: {wrong:?}"
        );
        for (name, label, ..) in selectors(&text) {
            let known = label == "le" || labels(&name).contains(&label);
            assert!(known, "docs/{file}: vestibule_{name} has no label {label}");
        }
        all += count;
    }
    assert!(all >= 35, "{all} values were found; correct how this test finds them");
}

#[test]
fn unknown_label_value_is_found() {
    for text in [
        "sum(vestibule_mail_queue_age_seconds{lane=\"codes\"})",
        "rate(vestibule_refusals_total{reason=~\"internal|outcome_unkown\"}[5m])",
        "vestibule_requests_total{route=\\\"/login\\\",method=\\\"GET\\\"}",
        "vestibule_tasks_total{outcome=\"given-up\"}",
    ] {
        assert_eq!(wrong_selectors(text).1.len(), 1, "{text}");
    }
    let good = "vestibule_database_connections{state=\"used\", pool!=\"write\"}";
    assert_eq!(wrong_selectors(good), (2, Vec::new()));
}

/// promtool checks the rules directly; for queries from elsewhere this test writes rules.
#[test]
fn promtool_accepts_every_query() {
    let queries: Vec<Query> = dashboard_queries().into_iter().chain(document_queries()).collect();
    assert!(queries.len() > 40, "{queries:?}");
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("queries.yaml");
    let mut rules = String::from("groups:\n  - name: queries\n    rules:\n");
    for (nth, (_, query)) in queries.iter().enumerate() {
        // A JSON string is a YAML string, too.
        let query = Value::from(query.as_str());
        writeln!(rules, "      - {{ record: \"query:{nth}\", expr: {query} }}").expect("a string");
    }
    fs::write(&file, &rules).expect("it is written");
    let output = Command::new("promtool").args(["check", "rules"]).arg(&file).output();
    let output = output.expect("promtool is not installed; scripts/test installs it");
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let counted = format!("{} rules found", queries.len());
    assert!(output.status.success() && printed.contains(&counted), "{printed}\n{queries:#?}");
}
