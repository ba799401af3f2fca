//! The expiry of the certificate: the metric shows that of the one in use, and an alarm is raised before it.

use std::time::Duration;

use store::Timestamp;
use vestibule_tests::{
    app::{Options, TestApp},
    db::Engine,
    log::CapturedLog,
    metrics::Scrape,
    wait::until_equal,
};

const EXPIRY: &str = "vestibule_certificate_expiry_timestamp_seconds";
const ENDS_SOON: &str = "alarm: the certificate in tls.cert ends soon; renew it";

/// The start of a year.
fn beginning_of(year: i32) -> Timestamp {
    let text = format!("{year}-01-01T00:00:00Z");
    let moment: jiff::Timestamp = text.parse().expect("a time");
    Timestamp::from_millis(moment.as_millisecond())
}

/// Replaces the certificate by one that is valid until the start of a year, and waits until the metric shows its end.
async fn renew(app: &TestApp, year: i32) {
    let authority = app.authority();
    authority.write(&authority.issue_until(&["localhost"], year));
    until_shown(app, year).await;
}

#[expect(clippy::cast_precision_loss, reason = "seconds of some thousand years are exact")]
async fn until_shown(app: &TestApp, year: i32) {
    let ends = beginning_of(year).seconds() as f64;
    let shown = async || Scrape::fetch(app.first()).await.value(EXPIRY, &[]);
    until_equal(&format!("an end in {year}"), Some(ends), shown).await;
}

#[tokio::test]
async fn expiring_certificate_raises_alarm_until_renewed() {
    let log = CapturedLog::start();
    let app =
        TestApp::start_with(Engine::Sqlite, Options { tls: true, ..Options::default() }).await;
    let alarms = || log.lines("message", ENDS_SOON);
    let until_alarms = async |times| until_equal("alarms", times, async || alarms().len()).await;
    until_shown(&app, 4000).await;
    // Fifteen days before the end there is no alarm yet.
    let ends = beginning_of(3000);
    app.clock.set(ends.minus(Duration::from_hours(15 * 24)));
    renew(&app, 3000).await;
    assert_eq!(alarms().len(), 0);
    app.clock.advance(Duration::from_hours(2 * 24));
    until_alarms(1).await;
    assert_eq!(alarms()[0]["expires"], "3000-01-01T00:00:00.000Z");
    assert_eq!(alarms()[0]["level"], "ERROR");
    app.clock.advance(Duration::from_hours(6));
    until_alarms(2).await;
    // A renewed certificate ends the alarms, whatever the clock. It is loaded in a later run than the one after the clock
    // moved.
    renew(&app, 4000).await;
    app.clock.advance(Duration::from_hours(24));
    renew(&app, 4001).await;
    assert_eq!(alarms().len(), 2);
}

/// With TLS at a proxy in front there is no expiry to report.
#[tokio::test]
async fn plain_http_has_no_expiry_metric() {
    let app = TestApp::start(Engine::Sqlite).await;
    assert_eq!(Scrape::fetch(app.first()).await.value(EXPIRY, &[]), None);
}
