//! The checks of `idp doctor`: each part is probed, and each failure says what to do.

use std::time::Duration;

use flows::signing_keys;
use store::{Db, DbConfig};
use tokio::time::timeout;

use super::{Finding, mail, phone_apps, problems, to_findings, warnings};
use crate::{
    cli::{load_root_keys, open_database, open_ephemeral},
    clock::Clock,
    config::{Config, EphemeralUrl, Issuer},
    fetch::Fetch,
    http::{REFUSAL_HEADER, UNKNOWN_NETWORK, step},
};

/// How long one probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(15);
/// The most by which the clocks of replica and database may differ: the same limit as for `/readyz`.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);
/// What to do when the database cannot be reached.
const UNREACHABLE_HINT: &str = "does it run, is database.url right (with its account and password), and is it reachable from here?";
/// What to do when the database was reached and then failed.
const FAILED_HINT: &str = "look at the database's own log, and run `idp doctor` again";
/// What to do when Redis cannot be reached.
const REDIS_HINT: &str = "is ephemeral.url right (with its password), does Redis run, is it reachable from here, and \
                           has its user the rights that docs/operating/deploy-replicas.md names? Until then each process \
                           counts its limits alone";

/// Probes everything that `serve` needs. Checks that depend on an unreachable part are left out.
pub(crate) async fn diagnose(config: &Config, clock: &Clock) -> Vec<Finding> {
    let now = clock.now();
    let mut found = to_findings(&problems(&config.into(), now), &warnings(config, now));
    if found.is_empty() {
        found.push(Finding::good("configuration", "is valid"));
    }
    found.extend(check_database(config, clock).await);
    found.push(check_redis(config).await);
    found.push(mail::check_server(&config.smtp).await);
    found.push(mail::check_sender(config));
    found.push(check_issuer(&config.issuer).await);
    found.extend(phone_apps::check(config).await);
    if !config.proxies.trusted.is_empty() {
        found.extend(check_proxies(&config.issuer).await);
    }
    found
}

async fn check_database(config: &Config, clock: &Clock) -> Vec<Finding> {
    const NAME: &str = "database";
    let store = config.database.db_config();
    if let DbConfig::Sqlite { file, .. } = &store
        && !file.exists()
    {
        let file = file.display();
        return vec![Finding::failed(
            NAME,
            format!("{file} does not exist; `idp migrate` creates it"),
        )];
    }
    let opened = timeout(PROBE_TIMEOUT, open_database(&store)).await;
    let db = match opened {
        Ok(Ok(db)) => db,
        Ok(Err(why)) => return vec![Finding::failed(NAME, format!("{why}; {UNREACHABLE_HINT}"))],
        Err(_) => {
            let why = format!("does not answer within {PROBE_TIMEOUT:?}; {UNREACHABLE_HINT}");
            return vec![Finding::failed(NAME, why)];
        }
    };
    let mut found = vec![Finding::good(NAME, "answers"), check_clock(&db, clock).await];
    let migrated = check_schema(&db).await;
    let is_migrated = migrated.verdict == super::Verdict::Good;
    found.push(migrated);
    if is_migrated {
        found.push(check_root_key(config, &db).await);
    }
    db.close().await;
    found
}

async fn check_clock(db: &Db, clock: &Clock) -> Finding {
    const NAME: &str = "clock";
    match db.clock().await {
        Ok(there) => {
            let here = clock.now();
            let skew = here.since(there).max(there.since(here));
            let text = format!("differs from the database's by {} ms", skew.as_millis());
            if skew > MAX_CLOCK_SKEW {
                return Finding::failed(NAME, format!("{text}; synchronise both (NTP)"));
            }
            Finding::good(NAME, text)
        }
        Err(error) => Finding::failed(
            NAME,
            format!("the time of the database cannot be read: {error}; {FAILED_HINT}"),
        ),
    }
}

async fn check_schema(db: &Db) -> Finding {
    const NAME: &str = "schema";
    match db.is_migrated().await {
        Ok(true) => Finding::good(NAME, "is that of this build"),
        Ok(false) => Finding::failed(NAME, "is older than this build; run `idp migrate`"),
        Err(error @ store::Error::PreReleaseSchema) => Finding::failed(NAME, error.to_string()),
        Err(error) => Finding::failed(NAME, format!("cannot be read: {error}; {FAILED_HINT}")),
    }
}

/// Opens every signing key: a root key that opens none of them belongs to another database.
async fn check_root_key(config: &Config, db: &Db) -> Finding {
    const NAME: &str = "keys.root_file";
    let mut root = match load_root_keys(&config.keys) {
        Ok(root) => root,
        Err(why) => {
            let why = format!("{why}; is the path right, and may this account read it?");
            return Finding::failed(NAME, why);
        }
    };
    let opened = async {
        let mut conn = db.read().await?;
        let sealed = store::signing_key::all(&mut conn).await?.len();
        // As at a start: values that an older root key sealed must open, too.
        flows::root_keys::load_carried(&mut root, &mut conn).await?;
        let loaded = signing_keys::load(&root, &mut conn).await?;
        Ok::<_, flows::Error>(sealed.saturating_sub(loaded.unusable))
    };
    match opened.await {
        Ok(0) => Finding::good(
            NAME,
            "is read; there is no signing key yet, the first start generates them",
        ),
        Ok(many) => Finding::good(NAME, format!("opens the signing keys ({many})")),
        Err(error) => Finding::failed(
            NAME,
            format!(
                "does not open the signing keys of this database: {error}; also name the root key that sealed them"
            ),
        ),
    }
}

async fn check_redis(config: &Config) -> Finding {
    const NAME: &str = "ephemeral.url";
    if config.ephemeral.url == EphemeralUrl::Memory {
        return Finding::good(NAME, "is the memory of one process");
    }
    let probe = async {
        let ephemeral = open_ephemeral(&config.ephemeral.url).map_err(|why| why.to_string())?;
        ephemeral.probe().await.map_err(|error| error.to_string())
    };
    match timeout(PROBE_TIMEOUT, probe).await {
        Ok(Ok(())) => Finding::good(NAME, "answers"),
        Ok(Err(why)) => Finding::failed(NAME, format!("does not answer: {why}; {REDIS_HINT}")),
        Err(_) => {
            Finding::failed(NAME, format!("does not answer within {PROBE_TIMEOUT:?}; {REDIS_HINT}"))
        }
    }
}

/// Reads the discovery document as clients do: by DNS and through the proxy in front.
async fn check_issuer(issuer: &Issuer) -> Finding {
    const NAME: &str = "issuer";
    let url = issuer.absolute_url("/.well-known/openid-configuration");
    match fetch_issuer(&url).await {
        Ok(named) if named == issuer.as_str() => Finding::good(NAME, "is reached from here"),
        Ok(named) => Finding::failed(
            NAME,
            format!(
                "{url} names the issuer `{named}`, so another server answers there; correct `issuer`, or the targets of DNS and proxy"
            ),
        ),
        Err(why) => Finding::failed(
            NAME,
            format!(
                "{url} cannot be read from here: {why}; is `serve` running, and do DNS, proxy and certificate lead to it?"
            ),
        ),
    }
}

/// Posts nothing to a sign-in page, through the proxies in front: whether they name a readable client address. It says
/// nothing when the issuer cannot be reached, which is a finding of its own.
async fn check_proxies(issuer: &Issuer) -> Option<Finding> {
    const NAME: &str = "proxies.trusted";
    let url = issuer.absolute_url(step::PASSWORD.path);
    let answer = Fetch::anywhere().ok()?.post_nothing(&url).await.ok()?;
    let reason = answer.headers().get(REFUSAL_HEADER);
    Some(if reason.is_some_and(|reason| reason == UNKNOWN_NETWORK) {
        Finding::failed(
            NAME,
            "a trusted proxy sends an X-Forwarded-For without a readable client address, so every sign-in is refused; let \
             it append the client's address, such as `203.0.113.7`, `203.0.113.7:51234` or `[2001:db8::1]:51234`",
        )
    } else {
        Finding::good(
            NAME,
            "send a client address that can be read, or none, as far as seen from here",
        )
    })
}

async fn fetch_issuer(url: &str) -> Result<String, String> {
    let fetch = Fetch::anywhere().map_err(|error| error_chain(&error))?;
    let answer = fetch.get(url).await.map_err(|error| error_chain(&error))?;
    if answer.status() != 200 {
        return Err(format!("status {}", answer.status()));
    }
    let document: serde_json::Value =
        serde_json::from_slice(answer.body()).map_err(|error| error.to_string())?;
    Ok(document.get("issuer").and_then(|issuer| issuer.as_str()).unwrap_or_default().to_owned())
}

/// An error with its sources: "the request failed" alone does not say why.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}
