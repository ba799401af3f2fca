//! The metrics of a replica, shown at `/metrics` as OpenMetrics text.
//!
//! ```text
//! a request is answered ─────────▶ requests, refusals         (http/layer/request_pipeline.rs)
//! an event is committed ─────────▶ steps, codes, tokens       (flows::observer)
//! a job or a task has ended ─────▶ attempts, tasks            (jobs)
//! Prometheus scrapes ────────────▶ queues, health             (scrape.rs, kept for some seconds)
//! ```

pub mod list;
mod pool;
mod scrape;

use std::{borrow::Cow, fmt, time::Duration};

use axum::http::{Method, StatusCode};
use flows::{
    audit::Event,
    jobs::Settlement,
    observer::{Observer, RecordedEvent},
    operational_status::OperationalStatus,
};
use keys::Hasher;
use prometheus_client::{metrics::info::Info, registry::Registry};
use store::Timestamp;
use tokio::sync::Mutex;

use self::list::{Families, Label};
use crate::{cached::Cached, http::step::Step};

/// The help text of `vestibule_build_info`.
const BUILD_HELP: &str = "The version that runs";
/// How long the values from the database are kept for further scrapes.
const OPERATIONAL_STATUS_TTL: Duration = Duration::from_secs(10);

/// A request that was answered.
#[derive(Debug)]
pub(crate) struct AnsweredRequest<'a> {
    /// The path of its route; `none` for a path that no route has.
    pub(crate) route: &'static str,
    /// The class of its route, or `none`.
    pub(crate) class: &'static str,
    pub(crate) method: &'a Method,
    pub(crate) status: StatusCode,
    pub(crate) took: Duration,
}

/// The metrics of a replica.
pub struct Metrics {
    registry: Registry,
    families: Families,
    hasher: Hasher,
    operational_status: Cached<Option<OperationalStatus>>,
    /// Held during a scrape: the gauges are set before they are encoded.
    scraping: Mutex<()>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}

const fn label(name: &'static str, value: &'static str) -> Label {
    (name, Cow::Borrowed(value))
}

impl Metrics {
    /// Metrics with all counters at zero.
    #[must_use]
    pub fn new(hasher: Hasher) -> Self {
        let mut registry = Registry::with_prefix("vestibule");
        let families = Families::register(&mut registry);
        registry.register_collector(Box::new(pool::HashingWaits(hasher.clone())));
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", BUILD_HELP, build);
        let (operational_status, scraping) = (Cached::new(OPERATIONAL_STATUS_TTL), Mutex::new(()));
        Self { registry, families, hasher, operational_status, scraping }
    }

    /// Counts a request that was answered, and its duration.
    pub(crate) fn record_request(&self, answered: &AnsweredRequest<'_>) {
        let AnsweredRequest { route, class, method, status, took } = answered;
        let requests = &self.families.requests;
        requests
            .get_or_create(&[
                label("route", route),
                label("class", class),
                label("method", known_method(method)),
                ("status", status_text(*status)),
            ])
            .inc();
        let times = self.families.request_seconds.get_or_create(&[label("route", route)]);
        times.observe(took.as_secs_f64());
    }

    /// Counts a request that was refused or failed. `reason` is from a list of ours.
    pub(crate) fn record_refusal(&self, reason: &'static str) {
        self.families.refusals.get_or_create(&[label("reason", reason)]).inc();
    }

    /// Counts an attempt at a job. `None` when the job could not be read or its end not stored: it is tried again when its
    /// lease ends.
    pub(crate) fn record_attempt(&self, lane: &'static str, ended: Option<Settlement>) {
        let outcome = match ended {
            Some(Settlement::Done) => "accepted",
            Some(Settlement::TryAgain(_)) => "again",
            Some(Settlement::GivenUp) => "given_up",
            Some(Settlement::NotNeeded) => "not_needed",
            None => "failed",
        };
        let labels = [label("lane", lane), label("outcome", outcome)];
        self.families.mail_attempts.get_or_create(&labels).inc();
    }

    /// Counts a run of a periodic task.
    pub(crate) fn record_task(&self, task: &'static str, done: bool) {
        let outcome = if done { "done" } else { "failed" };
        let labels = [label("task", task), label("outcome", outcome)];
        self.families.tasks.get_or_create(&labels).inc();
    }

    /// Sets when the certificate of the public listener expires.
    pub(crate) fn set_certificate_expiry(&self, expires: Timestamp) {
        let expiry = self.families.certificate_expiry.get_or_create(&[]);
        expiry.set(scrape::to_f64(expires.seconds()));
    }

    /// Counts a snapshot that could not be read again.
    pub(crate) fn record_snapshot_failure(&self) {
        self.families.snapshot_failures.inc();
    }

    fn record_step(&self, step: &'static str, outcome: &str) {
        let labels = [label("step", step), ("outcome", Cow::Owned(outcome.to_owned()))];
        self.families.steps.get_or_create(&labels).inc();
    }

    fn record_tokens(&self, recorded: &RecordedEvent) {
        let client = recorded.client.clone().unwrap_or_default();
        let grant_type = recorded.grant_type.unwrap_or("unknown");
        let labels = [("client", Cow::Owned(client)), label("grant_type", grant_type)];
        self.families.tokens.get_or_create(&labels).inc();
    }
}

/// The label of a method. All unknown methods, which a client may invent, share one.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The status as text, without allocation for frequent ones.
fn status_text(status: StatusCode) -> Cow<'static, str> {
    match status.as_u16() {
        200 => Cow::Borrowed("200"),
        303 => Cow::Borrowed("303"),
        400 => Cow::Borrowed("400"),
        429 => Cow::Borrowed("429"),
        503 => Cow::Borrowed("503"),
        other => Cow::Owned(other.to_string()),
    }
}

impl Observer for Metrics {
    fn on_event(&self, recorded: &RecordedEvent) {
        let RecordedEvent { event, outcome, elapsed: after, .. } = recorded;
        let labels = [label("event", event.as_str()), ("outcome", Cow::Owned(outcome.to_owned()))];
        self.families.events.get_or_create(&labels).inc();
        if let Some(step) = Step::for_event(*event) {
            self.record_step(
                step.name,
                if *event == Event::ConsentGiven { "given" } else { outcome },
            );
        }
        match event {
            Event::CodeRequested => self.record_step("code_request", outcome),
            Event::CodeAccepted => self.record_step("code_mail", "accepted"),
            Event::SignedIn => self.record_step("completed", outcome),
            Event::AttemptCancelled => self.record_step("cancelled", outcome),
            Event::SequenceFailed => self.record_step("out_of_turn", outcome),
            Event::TokensIssued => self.record_tokens(recorded),
            _ => {}
        }
        match (event, after) {
            (Event::CodeChecked, Some(after)) => {
                let labels = [("outcome", Cow::Owned(outcome.to_owned()))];
                let delay = self.families.code_delay.get_or_create(&labels);
                delay.observe(after.as_secs_f64());
            }
            (Event::CodeAccepted, Some(after)) => {
                self.families.mail_seconds.get_or_create(&[]).observe(after.as_secs_f64());
            }
            _ => {}
        }
    }
}
