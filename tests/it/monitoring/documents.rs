//! The documents about monitoring describe what exists, and they are complete.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use idp::metrics::list::METRICS;
use serde_json::Value;
use vestibule_tests::{
    app::{Options, TestApp},
    db::Engine,
    metrics::Scrape,
};

fn read(file: &str) -> String {
    fs::read_to_string(vestibule_tests::workspace_root().join("docs").join(file))
        .expect("a document")
}

/// Every metric name of ours in a text, as written.
fn names(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_name(c))
        .filter(|word| word.starts_with("vestibule_"))
        .map(str::to_owned)
        .collect()
}

/// A histogram is queried by its parts.
fn base_name(name: &str) -> &str {
    let parts = ["_bucket", "_count", "_sum"];
    parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name)
}

/// The rows of the tables of metrics: name and labels.
fn documented_metrics() -> BTreeMap<String, BTreeSet<String>> {
    let text = read("monitoring.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `vestibule_"));
    rows.map(|row| {
        let mut cells = row.split('|');
        let name =
            format!("vestibule_{}", cells.next().expect("a name").trim().trim_end_matches('`'));
        let labels =
            cells.next().expect("labels").split(',').map(|label| label.trim().trim_matches('`'));
        (name, labels.filter(|label| !label.is_empty()).map(str::to_owned).collect())
    })
    .collect()
}

/// The periodic tasks (`idp/src/jobs/periodic.rs`).
const TASKS: [&str; 6] =
    ["proof", "guess_budget", "retention", "audit_seals", "signing_keys", "root_keys"];

/// The metrics after a sign-in, a wrong code, a refusal, and the first run of the periodic tasks.
async fn scrape_after_sign_in() -> Scrape {
    let app =
        TestApp::start_with(Engine::Postgres, Options { tls: true, ..Options::default() }).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let browser = app.browser();
    let (page, code, pending) = browser.sign_in_to_code_page(&app, &client, &patient).await;
    // The delay counts from the acceptance, which is recorded a moment after the mail has arrived.
    app.wait_for_jobs().await;
    let landed = browser.submit_code(&page, &code).await.authorization_response(pending);
    client.redeem_tokens(&app, &landed).await;
    browser.get("/nothing").await;
    Scrape::until(app.first(), "the periodic tasks", |scrape| {
        let done = |task| scrape.value("vestibule_tasks_total", &[("task", task)]).is_some();
        TASKS.into_iter().all(done)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_and_scrape_list_same_metrics() {
    let scrape = scrape_after_sign_in().await;
    let listed: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(listed.len(), METRICS.len(), "a name is in the list twice");
    assert_eq!(scrape.names(), listed, "each listed metric is exported:\n{}", scrape.text);
    let documented = documented_metrics();
    let rows: BTreeSet<String> = documented.keys().cloned().collect();
    assert_eq!(rows, listed, "docs/monitoring.md has a row for each metric");
    for (name, labels) in documented {
        assert_eq!(scrape.labels(&name), labels, "the labels of {name} in docs/monitoring.md");
        let samples =
            scrape.samples().into_iter().any(|sample| base_name(&sample.name) == base_name(&name));
        assert!(samples, "{name} has a value after a sign-in");
    }
    for file in [
        "monitoring.md",
        "monitoring/alerts.yaml",
        "monitoring/alerts_test.yaml",
        "monitoring/dashboard.json",
    ] {
        let unknown: Vec<_> = names(&read(file))
            .into_iter()
            .filter(|name| !listed.contains(base_name(name)))
            .collect();
        assert!(unknown.is_empty(), "docs/{file} names metrics that do not exist: {unknown:?}");
    }
}

/// Prometheus' conventions: a name with what is measured and its base unit, and a help text for each.
#[test]
fn metric_names_follow_prometheus_conventions() {
    for metric in METRICS {
        let name = metric.name;
        assert!(name.starts_with("vestibule_") && name == name.to_lowercase(), "{name}");
        assert!(metric.help.len() > 15 && !metric.help.ends_with('.'), "{name}: {}", metric.help);
        for unit in ["millis", "_ms", "minutes", "percent"] {
            assert!(!name.contains(unit), "{name}: seconds and ratios");
        }
    }
}

/// A metric without a panel would not be watched.
#[test]
fn dashboard_shows_every_metric() {
    let dashboard: Value = serde_json::from_str(&read("monitoring/dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let mut shown = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 5), "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            let found = names(target["expr"].as_str().expect("an expression"));
            assert!(!found.is_empty(), "{target}");
            shown.extend(found.iter().map(|name| base_name(name).to_owned()));
        }
    }
    let missing: Vec<_> =
        METRICS.iter().map(|metric| metric.name).filter(|name| !shown.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The operating page explains each row of the dashboard.
#[test]
fn operating_page_explains_dashboard_rows() {
    let dashboard: Value = serde_json::from_str(&read("monitoring/dashboard.json")).expect("JSON");
    let page = read("operating/dashboard.md");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let rows: Vec<_> = panels.filter(|panel| panel["type"] == "row").collect();
    assert!(rows.len() > 3, "{rows:?}");
    for row in rows {
        let title = row["title"].as_str().expect("a title");
        let line = page.lines().find(|line| line.starts_with(&format!("| {title} | ")));
        let cells = line.map(|line| line.split(" | ").filter(|cell| cell.len() > 20).count());
        assert_eq!(
            cells,
            Some(3),
            "docs/operating/dashboard.md on {title}: good, bad, and where to look"
        );
    }
}

/// An alert wakes a person: the rule says what it means and what to do first, and the page lists it with its severity.
#[test]
fn every_alert_has_runbook_and_listing() {
    let (rules, page, test) = (
        read("monitoring/alerts.yaml"),
        read("monitoring.md"),
        read("monitoring/alerts_test.yaml"),
    );
    let rules: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert_eq!(page.matches("| `Vestibule").count(), rules.len(), "the page lists each alert once");
    for rule in rules {
        let name = rule.lines().next().expect("a name");
        let value = |key: &str| {
            let line = rule.lines().find_map(|line| line.trim().strip_prefix(key));
            line.unwrap_or_else(|| panic!("{name} has no {key}")).trim()
        };
        assert!(value("runbook:").len() > 80, "{name}: what to do");
        assert!(value("summary:").len() > 20, "{name}: what happened");
        let severity = value("labels: { severity:").trim_end_matches([' ', '}']);
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
        assert!(
            page.contains(&format!("| `{name}` | {severity} |")),
            "{name} {severity} in monitoring.md"
        );
        assert!(
            test.contains(&format!("alertname=\"{name}\"")),
            "{name} fires in alerts_test.yaml"
        );
    }
}

/// promtool parses the rules, and its tests show that they fire when they should and not otherwise.
#[test]
fn promtool_accepts_and_fires_alert_rules() {
    let folder = vestibule_tests::workspace_root().join("docs/monitoring");
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        let output = Command::new("promtool").args(arguments).current_dir(&folder).output();
        let output = output.expect("promtool is not installed; scripts/test installs it");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && printed.contains("SUCCESS"),
            "{arguments:?}:\n{printed}"
        );
    }
}
