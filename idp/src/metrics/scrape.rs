//! A scrape: the gauges are set from current values, which are read or a few seconds old, and all metrics are encoded.
//!
//! Values that cannot be read are left out, so that a scrape never shows stale ones.

use std::{borrow::Cow, time::Duration};

use flows::{invariant_check, operational_status::OperationalStatus, signing_keys::KeyState};
use tokio::time::timeout;

use super::{Metrics, label};
use crate::{
    app::App,
    health::{DatabaseHealth, HealthReport},
};

/// How long the reads from the database may take.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

impl Metrics {
    /// All metrics, as OpenMetrics text.
    pub(crate) async fn scrape(&self, app: &App) -> Result<String, std::fmt::Error> {
        let _one = self.scraping.lock().await;
        let report = app.health.report().await;
        self.show_health(&report);
        self.show_pools(app);
        let status = self.operational_status.get(&app.clock, read_operational_status(app)).await;
        self.show_operational_status(app, status.as_ref());
        self.show_unusable(app, status.as_ref());
        let window = app.live.snapshot().settings.code_window;
        self.families.code_window.set(window.as_secs_f64());
        let mut text = String::with_capacity(16 * 1024);
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    fn show_health(&self, report: &HealthReport) {
        let families = &self.families;
        families.ready.set(truth(report.is_ready()));
        families.database_seconds.clear();
        families.database_skew.clear();
        families.redis_up.clear();
        families.redis_seconds.clear();
        families.database_up.set(truth(report.database.is_ok()));
        if let Ok(DatabaseHealth { took, clock_ahead_millis: ahead_millis, .. }) = &report.database
        {
            families.database_seconds.get_or_create(&[]).set(took.as_secs_f64());
            families.database_skew.get_or_create(&[]).set(to_f64(*ahead_millis) / 1_000.0);
        }
        if let Some(redis) = &report.redis {
            families.redis_up.get_or_create(&[]).set(truth(redis.is_ok()));
            if let Ok(took) = redis {
                families.redis_seconds.get_or_create(&[]).set(took.as_secs_f64());
            }
        }
    }

    fn show_pools(&self, app: &App) {
        let families = &self.families;
        for pool in app.db.pool_states() {
            for (state, count) in
                [("used", pool.used), ("idle", pool.idle), ("most", pool.max_connections)]
            {
                let labels = [label("pool", pool.name), label("state", state)];
                families.database_connections.get_or_create(&labels).set(f64::from(count));
            }
        }
        let load = self.hasher.stats();
        for (state, slots, queue) in
            [("used", load.admitted, load.waiting), ("most", load.max_admitted, load.queue_slots)]
        {
            let labels = [label("state", state)];
            families.hashing_slots.get_or_create(&labels).set(count_to_f64(slots));
            families.hashing_queue.get_or_create(&labels).set(count_to_f64(queue));
        }
        let history = load.totals;
        for (reason, so_far) in [("full", history.rejected_full), ("waited", history.timed_out)] {
            let refused = families.hashing_refused.get_or_create(&[label("reason", reason)]);
            refused.inner().store(so_far, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn show_operational_status(&self, app: &App, status: Option<&OperationalStatus>) {
        let families = &self.families;
        families.mail_jobs.clear();
        families.mail_age.clear();
        families.key_age.clear();
        let Some(status) = status else { return };
        for (lane, backlog) in &status.backlogs {
            let due = backlog.open - backlog.resting;
            for (state, jobs) in [("due", due), ("resting", backlog.resting)] {
                let labels = [label("lane", lane), label("state", state)];
                families.mail_jobs.get_or_create(&labels).set(to_f64(jobs));
            }
            let age = backlog.oldest.map_or(Duration::ZERO, |oldest| status.at.since(oldest));
            families.mail_age.get_or_create(&[label("lane", lane)]).set(age.as_secs_f64());
        }
        let unsealed = status.unsealed_since.map_or(Duration::ZERO, |at| status.at.since(at));
        families.unsealed_age.set(unsealed.as_secs_f64());
        families.guesses.set(to_f64(status.guess_budget.spent));
        families.guesses_limit.set(to_f64(status.guess_budget.limit));
        for key in status.keys.iter().filter(|key| key.state != KeyState::Ended) {
            let Some(published) = key.published_from else { continue };
            let text = |text: &str| Cow::Owned(text.to_owned());
            let labels = [("kid", text(&key.kid)), ("algorithm", text(&key.algorithm))];
            let age = app.clock.now().since(published);
            families.key_age.get_or_create(&labels).set(age.as_secs_f64());
        }
        if let Some(check) = status.checks.iter().find(|check| check.name == invariant_check::CHECK)
        {
            families.unproven.set(to_f64(check.found));
            families.unproven_at.set(to_f64(check.checked_at.millis()) / 1_000.0);
        }
    }

    fn show_unusable(&self, app: &App, status: Option<&OperationalStatus>) {
        let rows = &self.families.unusable_rows;
        rows.clear();
        let snapshot = app.live.snapshot();
        for (table, unusable) in [
            ("clients", snapshot.clients.unusable_count()),
            ("signing_keys", snapshot.unusable_rows.signing_keys),
            ("ended_keys", snapshot.unusable_rows.ended_keys),
        ] {
            rows.get_or_create(&[label("table", table)]).set(count_to_f64(unusable));
        }
        if let Some(status) = status {
            rows.get_or_create(&[label("table", "jobs")]).set(to_f64(status.unknown_jobs));
        }
    }
}

async fn read_operational_status(app: &App) -> Option<OperationalStatus> {
    match timeout(
        READ_TIMEOUT,
        flows::operational_status::read(&app.system_cx("metrics"), &app.job_kinds),
    )
    .await
    {
        Ok(Ok(status)) => Some(status),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the operational status could not be read for the metrics");
            None
        }
        Err(_) => {
            tracing::warn!("the operational status could not be read for the metrics in time");
            None
        }
    }
}

fn truth(truth: bool) -> f64 {
    if truth { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "shown, not computed with")]
pub(super) fn to_f64(number: i64) -> f64 {
    number as f64
}

fn count_to_f64(count: usize) -> f64 {
    to_f64(i64::try_from(count).unwrap_or(i64::MAX))
}
