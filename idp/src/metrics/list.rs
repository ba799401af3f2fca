//! THE list of metrics: type, name, labels and help text. `docs/monitoring.md` is tested against it.
//!
//! Names have the prefix `vestibule_` and their unit; a counter gets the suffix `_total`. No label has a person, an address,
//! a token or anything else that a request can choose: values are from our own lists, and `client` is a registered client.

use std::{borrow::Cow, sync::atomic::AtomicU64};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// One label: its name, and a value of one of our own lists.
pub(super) type Label = (&'static str, Cow<'static, str>);
/// Counters, by labels.
pub(super) type Counters<const N: usize> = Family<[Label; N], Counter>;
/// Gauges, by labels.
pub(super) type Gauges<const N: usize> = Family<[Label; N], Number>;
/// A gauge.
pub(super) type Number = Gauge<f64, AtomicU64>;
/// Histograms of durations, by labels.
pub(super) type Times<const N: usize> = Family<[Label; N], Histogram, fn() -> Histogram>;

/// A metric, for the documentation and its test.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name, as in a query.
    pub name: &'static str,
    /// The help text.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($field:ident: $type:ty = $make:expr, $name:literal, $shown:literal, $help:literal;)*) => {
        /// Every metric but the waits for the hashing pool, which are read from the pool: see [`super::pool`].
        #[derive(Clone, Debug)]
        pub(super) struct Families { $(pub(super) $field: $type,)* }

        impl Families {
            pub(super) fn register(registry: &mut Registry) -> Self {
                let families = Self { $($field: $make,)* };
                $(registry.register($name, $help, families.$field.clone());)*
                families
            }
        }

        /// Every metric, by its name in queries.
        pub const METRICS: &[Metric] = &[
            $(Metric { name: $shown, help: $help },)*
            Metric { name: super::pool::SHOWN, help: super::pool::HELP },
            Metric { name: "vestibule_build_info", help: super::BUILD_HELP },
        ];
    };
}

fn histogram_family<const N: usize>(make: fn() -> Histogram) -> Times<N> {
    Family::new_with_constructor(make)
}

/// Seconds, from the time of a style sheet to that of a sign-in that waited in the hashing queue.
fn request_buckets() -> Histogram {
    Histogram::new([
        0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
        2.5, 5.0, 10.0,
    ])
}

/// Seconds, from a person who has the mailbox open to one who returns after an hour. Limits at 5, 10, 15, 20, 30 and 60
/// minutes are those of usual code windows.
fn code_buckets() -> Histogram {
    Histogram::new([
        10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 450.0, 600.0, 900.0, 1_200.0,
        1_800.0, 3_600.0, 7_200.0,
    ])
}

/// Seconds, from a mail server in the same network to one that greylists.
fn mail_buckets() -> Histogram {
    Histogram::new([0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1_800.0])
}

metrics! {
    requests: Counters<4> = Counters::default(), "requests", "vestibule_requests_total",
        "Requests answered, by route as in the list of routes, its class, method and status";
    request_seconds: Times<1> = histogram_family(request_buckets), "request_duration_seconds", "vestibule_request_duration_seconds",
        "How long an answer took, by route";
    refusals: Counters<1> = Counters::default(), "refusals", "vestibule_refusals_total",
        "Requests refused or failed, by reason";

    steps: Counters<2> = Counters::default(), "sign_in_steps", "vestibule_sign_in_steps_total",
        "Steps of sign-ins, by step and outcome";
    code_delay: Times<1> = histogram_family(code_buckets), "code_delay_seconds", "vestibule_code_delay_seconds",
        "From the moment a mail server took a code to the moment the right code came back, by outcome: right, late or expired";
    code_window: Number = Number::default(), "code_window_seconds", "vestibule_code_window_seconds",
        "The code window in force";
    events: Counters<2> = Counters::default(), "audit_events", "vestibule_audit_events_total",
        "Events that this replica has written into the audit trail, by event and outcome";
    tokens: Counters<2> = Counters::default(), "tokens_issued", "vestibule_tokens_issued_total",
        "Token responses issued, by client and grant type";
    unproven: Number = Number::default(), "unproven_grants", "vestibule_unproven_grants",
        "Grants without a completed second step, found by the daily check; always 0";
    unproven_at: Number = Number::default(), "unproven_grants_checked_timestamp_seconds", "vestibule_unproven_grants_checked_timestamp_seconds",
        "When grants were last compared with their sign-ins, in Unix seconds";

    mail_jobs: Gauges<2> = Gauges::default(), "mail_queue_jobs", "vestibule_mail_queue_jobs",
        "Mails that are neither sent nor given up, by lane, and whether they are due or wait to be tried again";
    mail_age: Gauges<1> = Gauges::default(), "mail_queue_age_seconds", "vestibule_mail_queue_age_seconds",
        "Age of the oldest mail of a lane that is neither sent nor given up; 0 when there is none";
    mail_attempts: Counters<2> = Counters::default(), "mail_attempts", "vestibule_mail_attempts_total",
        "Attempts at mails of this replica, by lane and outcome";
    mail_seconds: Times<0> = histogram_family(mail_buckets), "code_mail_seconds", "vestibule_code_mail_seconds",
        "From the request for a code to the moment the mail server took its mail";

    hashing_slots: Gauges<1> = Gauges::default(), "hashing_slots", "vestibule_hashing_slots",
        "Slots of the password hashing pool: used, and the most";
    hashing_queue: Gauges<1> = Gauges::default(), "hashing_queue", "vestibule_hashing_queue",
        "Sign-ins in the hashing queue: used, and the most";
    hashing_refused: Counters<1> = Counters::default(), "hashing_refused", "vestibule_hashing_refused_total",
        "Sign-ins refused by the hashing pool, because its queue was full or the wait too long";

    guesses: Number = Number::default(), "guess_budget_spent", "vestibule_guess_budget_spent",
        "Wrong codes on the whole site in the window of the guess budget";
    guesses_limit: Number = Number::default(), "guess_budget_limit", "vestibule_guess_budget_limit",
        "Wrong codes from which on the guess budget is exceeded";

    ready: Number = Number::default(), "ready", "vestibule_ready",
        "Whether this replica wants requests: 1 or 0, as /readyz says";
    database_up: Number = Number::default(), "database_up", "vestibule_database_up",
        "Whether the database answers: 1 or 0";
    database_seconds: Gauges<0> = Gauges::default(), "database_ping_seconds", "vestibule_database_ping_seconds",
        "How long the last answer of the database to a ping took";
    database_skew: Gauges<0> = Gauges::default(), "database_clock_skew_seconds", "vestibule_database_clock_skew_seconds",
        "By how much the database's clock is ahead of this replica's; negative when it is behind";
    database_connections: Gauges<2> = Gauges::default(), "database_connections", "vestibule_database_connections",
        "Connections of this replica to the database, by pool, and whether they are used, idle, or the most";
    redis_up: Gauges<0> = Gauges::default(), "redis_up", "vestibule_redis_up",
        "Whether Redis answers: 1 or 0; absent when counters are kept in memory";
    redis_seconds: Gauges<0> = Gauges::default(), "redis_ping_seconds", "vestibule_redis_ping_seconds",
        "How long the last answer of Redis to a ping took";

    key_age: Gauges<2> = Gauges::default(), "signing_key_age_seconds", "vestibule_signing_key_age_seconds",
        "Age of each signing key, by key id and algorithm";
    certificate_expiry: Gauges<0> = Gauges::default(), "certificate_expiry_timestamp_seconds", "vestibule_certificate_expiry_timestamp_seconds",
        "When the certificate of the public listener ends, in Unix seconds; absent when a proxy in front terminates TLS";
    tasks: Counters<2> = Counters::default(), "tasks", "vestibule_tasks_total",
        "Periodic tasks that this replica did, by task and outcome";
    unsealed_age: Number = Number::default(), "audit_unsealed_age_seconds", "vestibule_audit_unsealed_age_seconds",
        "Age of the oldest row of the audit trail without a seal; 0 when there is none";
    snapshot_failures: Counter = Counter::default(), "snapshot_failures", "vestibule_snapshot_failures_total",
        "Times that settings, clients and keys could not be read again; the last ones stay in force";
    unusable_rows: Gauges<1> = Gauges::default(), "unusable_rows", "vestibule_unusable_rows",
        "Rows with a value that this build does not know, by table; they are ignored";
}
