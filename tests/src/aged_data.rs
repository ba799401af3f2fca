//! A database that has been in use for years: rows of every kind that is swept, all of them past their retention time.

use std::time::Duration;

use store::{Db, Sql, Timestamp};

use crate::db::Engine;

/// Kinds of rows that [`fill`] adds in large numbers, besides the audit trail. Any database has few wrong codes and leases.
pub const KINDS: i64 = 11;

/// The most rows of those few kinds.
const FEW: i64 = 500;

/// How to count the remaining rows of each kind.
pub const COUNT_BY_KIND: [(&str, &str); 15] = [
    ("attempts", "SELECT COUNT(*) FROM attempts WHERE client_id = 'old'"),
    ("challenges", "SELECT COUNT(*) FROM email_challenges WHERE reference = 'old'"),
    (
        "sign-ins",
        "SELECT COUNT(*) FROM sign_ins WHERE first_at < 1000000000000 AND network IS NULL",
    ),
    ("sessions", "SELECT COUNT(*) FROM sessions WHERE sid LIKE 'old-%'"),
    ("grants", "SELECT COUNT(*) FROM grants WHERE client_id = 'old' AND NOT offline"),
    ("ended grants", "SELECT COUNT(*) FROM grants WHERE scopes = 'old-ended'"),
    ("expired grants", "SELECT COUNT(*) FROM grants WHERE scopes = 'old-expired'"),
    ("codes", "SELECT COUNT(*) FROM auth_codes WHERE redirect_uri = 'old'"),
    ("jobs", "SELECT COUNT(*) FROM jobs WHERE kind = 'old'"),
    ("throttles", "SELECT COUNT(*) FROM throttles WHERE kind = 'old'"),
    ("failed jobs", "SELECT COUNT(*) FROM jobs WHERE kind = 'old-failed'"),
    ("devices", "SELECT COUNT(*) FROM devices WHERE made_at < 1000000000000"),
    ("wrong codes", "SELECT COUNT(*) FROM wrong_codes WHERE slot < 1666666"),
    ("leases", "SELECT COUNT(*) FROM leases WHERE holder = 'old'"),
    ("trail", "SELECT COUNT(*) FROM audit WHERE event = 'old'"),
];

/// Rows that are as old and still needed: live grants that outlived their session, and their sign-ins.
pub const LIVE_ROWS: [(&str, &str); 2] = [
    (
        "live grants",
        "SELECT COUNT(*) FROM grants WHERE scopes = 'old-live' AND sid LIKE 'old-live-%'",
    ),
    ("their sign-ins", "SELECT COUNT(*) FROM sign_ins WHERE network = 'old-live'"),
];

/// The time of the newest of these rows, in the year 2001.
const NEWEST: Timestamp = Timestamp::from_millis(990_000_000_000);
const SPAN: Duration = Duration::from_hours(50 * 24);

/// SQL that differs between the engines. For tests only: the program has one text for both.
struct Dialect {
    series: String,
    id: &'static str,
    bytes: &'static str,
    at: String,
}

impl Dialect {
    fn of(engine: Engine, rows: i64) -> Self {
        let step = i64::try_from(SPAN.as_millis()).expect("a number") / rows.max(1);
        let at = format!("({} - (({rows} - n) * {step}))", NEWEST.millis());
        match engine {
            Engine::Sqlite => Self {
                series: format!(
                    "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n FROM s)"
                ),
                id: "unhex(printf('%012x70008%015x', AT, n))",
                bytes: "unhex(printf('%064x', n))",
                at,
            },
            Engine::Postgres => Self {
                series: format!(
                    "(SELECT CAST(g AS BIGINT) AS n FROM generate_series(1, {rows}) AS g) AS s"
                ),
                id: "CAST(lpad(to_hex(CAST(AT AS BIGINT)), 12, '0') || '70008' || lpad(to_hex(n), 15, '0') AS UUID)",
                bytes: "decode(lpad(to_hex(n), 64, '0'), 'hex')",
                at,
            },
        }
    }

    fn statement(&self, text: &str) -> &'static str {
        let text = text
            .replace("ID", self.id)
            .replace("TWIN", &self.id.replace("70008", "70018"))
            .replace("THIRD", &self.id.replace("70008", "70028"))
            .replace("FOURTH", &self.id.replace("70008", "70038"))
            .replace("BYTES", self.bytes)
            .replace("AT", &self.at)
            .replace("SERIES", &self.series);
        text.leak()
    }
}

async fn run(db: &Db, statements: &[&'static str]) {
    for statement in statements {
        db.write(async |tx| tx.q(statement).execute().await).await.expect("rows");
    }
}

/// Adds `rows` rows of each kind, all of one new person and one new client.
pub async fn fill(db: &Db, engine: Engine, rows: i64) {
    let dialect = Dialect::of(engine, rows);
    let one = Dialect::of(engine, 1);
    let owner = "(SELECT id FROM users WHERE email = 'old')";
    let mut all = vec![
        one.statement(
            "INSERT INTO users (id, subject, pairwise_seed, user_handle, email, email_canonical, email_verified, name, claims, epoch,
                                created_at, updated_at)
             SELECT ID, 'old', 'old', ID, 'old', 'old', TRUE, 'old', '{}', 1, 0, 0 FROM SERIES",
        ),
        "INSERT INTO clients (id, profile, metadata, operator, created_at)
         VALUES ('old', 'spa', '{\"client_name\":\"old\",\"application_type\":\"web\",\"redirect_uris\":[],
                 \"post_logout_redirect_uris\":[],\"token_endpoint_auth_method\":\"none\",
                 \"grant_types\":[\"authorization_code\"],\"response_types\":[\"code\"],\"subject_type\":\"public\",
                 \"id_token_signed_response_alg\":\"RS256\"}', '{\"first_party\":false,\"pkce\":\"required\",\"sector\":\"old\"}', 0)",
    ];
    for text in [
        "INSERT INTO attempts (id, browser, goal, client_id, request, state, version, created_at)
         SELECT ID, BYTES, 'client', 'old', '{}', '{}', 1, AT FROM SERIES",
        "INSERT INTO email_challenges (id, user_id, browser, purpose, epoch, address, key_id, nonce, reference, first_issued_at,
                                       last_requested_at, sends, tries, tried, completed_at)
         SELECT ID, OWNER, BYTES, 'sign_in', 1, 'old', 'old', BYTES, 'old', AT, AT, 1, 0, '', AT FROM SERIES",
        "INSERT INTO sign_ins (id, user_id, epoch, first, first_at, second, second_at, mailbox_only)
         SELECT ID, OWNER, 1, 'password', AT, 'email_code', AT, FALSE FROM SERIES",
        "INSERT INTO sessions (id, sid, secret, user_id, sign_in_id, epoch, created_at, last_seen)
         SELECT ID, 'old-' || n, BYTES, OWNER, ID, 1, AT, AT FROM SERIES",
        "INSERT INTO grants (id, user_id, client_id, session_id, sid, sign_in_id, epoch, scopes, offline, created_at)
         SELECT ID, OWNER, 'old', ID, 'old-' || n, ID, 1, 'openid', FALSE, AT FROM SERIES",
        // Some outlived their session, and were ended or have expired.
        "INSERT INTO grants (id, user_id, client_id, session_id, sid, sign_in_id, epoch, scopes, offline, created_at, ended_at)
         SELECT TWIN, OWNER, 'old', NULL, 'old-' || n, ID, 1, 'old-ended', TRUE, AT, AT FROM SERIES WHERE n % 4 = 0",
        "INSERT INTO grants (id, user_id, client_id, session_id, sid, sign_in_id, epoch, scopes, offline, created_at, expires_at)
         SELECT THIRD, OWNER, 'old', ID, 'old-' || n, ID, 1, 'old-expired', TRUE, AT, AT FROM SERIES WHERE n % 4 = 1",
        "INSERT INTO auth_codes (hash, grant_id, redirect_uri, created_at, used_at)
         SELECT BYTES, ID, 'old', AT, AT FROM SERIES",
        "INSERT INTO jobs (id, lane, kind, payload, created_at, run_at, tries, done_at)
         SELECT ID, 'code', 'old', '{}', AT, AT, 1, AT FROM SERIES",
        "INSERT INTO throttles (key, kind, spent, since, next_at)
         SELECT BYTES, 'old', 1, AT, 0 FROM SERIES",
        "INSERT INTO jobs (id, lane, kind, payload, created_at, run_at, tries, failed_at)
         SELECT TWIN, 'code', 'old-failed', '{}', AT, AT, 9, AT FROM SERIES",
        "INSERT INTO devices (hash, user_id, epoch, made_at)
         SELECT BYTES, OWNER, 1, AT FROM SERIES",
    ] {
        all.push(dialect.statement(&text.replace("OWNER", owner)));
    }
    let few = Dialect::of(engine, rows.min(FEW));
    for text in [
        "INSERT INTO wrong_codes (slot, shard, wrong) SELECT AT / 600000, n, 1 FROM SERIES",
        "INSERT INTO leases (name, holder, until) SELECT 'old-' || n, 'old', AT FROM SERIES",
    ] {
        all.push(few.statement(text));
    }
    run(db, &all).await;
}

/// Adds `rows` rows of [`LIVE_ROWS`] to a database that [`fill`] has filled with as many rows; they share its sessions.
pub async fn fill_live(db: &Db, engine: Engine, rows: i64) {
    let dialect = Dialect::of(engine, rows);
    let owner = "(SELECT id FROM users WHERE email = 'old')";
    let mut all = Vec::new();
    for text in [
        "INSERT INTO sign_ins (id, user_id, epoch, first, first_at, second, second_at, mailbox_only, network)
         SELECT TWIN, OWNER, 1, 'password', AT, 'email_code', AT, FALSE, 'old-live' FROM SERIES",
        "INSERT INTO grants (id, user_id, client_id, session_id, sid, sign_in_id, epoch, scopes, offline, created_at)
         SELECT FOURTH, OWNER, 'old', ID, 'old-live-' || n, TWIN, 1, 'old-live', TRUE, AT FROM SERIES",
    ] {
        all.push(dialect.statement(&text.replace("OWNER", owner)));
    }
    run(db, &all).await;
}

/// Adds `rows` rows to the audit trail, in the format of a version without seals.
pub async fn fill_trail(db: &Db, engine: Engine, rows: i64) {
    let text = "INSERT INTO audit (id, at, event, outcome, actor, network, reference, detail)
                SELECT ID, AT, 'old', 'ok', 'person', '203.0.113.9', 'AAAAAA', '{\"what\":\"something of years ago\"}'
                FROM SERIES";
    run(db, &[Dialect::of(engine, rows).statement(text)]).await;
}
