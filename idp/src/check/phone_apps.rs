//! The files that relate apps for phones, as a phone reads them: at the RP ID, which may be another host than the issuer's.

use serde_json::Value;

use super::Finding;
use crate::{
    config::Config,
    fetch::Fetch,
    phone_apps::{ANDROID, APPLE, android, apple},
};

/// Compares what is published with what is configured. Nothing is found where no app is configured.
pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let passkeys = &config.passkeys;
    let mut found = Vec::new();
    if !passkeys.apple_apps.is_empty() {
        found.push(compare(config, "passkeys.apple_apps", APPLE, &apple(passkeys)).await);
    }
    if !passkeys.android_apps.is_empty() {
        found.push(compare(config, "passkeys.android_apps", ANDROID, &android(passkeys)).await);
    }
    found
}

async fn compare(config: &Config, name: &str, path: &str, wanted: &Value) -> Finding {
    let url = match &config.passkeys.rp_id {
        Some(rp_id) if config.issuer.url().domain() != Some(rp_id) => {
            format!("https://{rp_id}{path}")
        }
        _ => config.issuer.absolute_url(path),
    };
    match read(&url).await {
        Ok(published) if published == *wanted => Finding::good(name, "are published as configured"),
        Ok(published) => Finding::failed(
            name,
            format!("{url} has {published}, so some apps get no passkeys here; publish {wanted}"),
        ),
        Err(why) => Finding::failed(
            name,
            format!(
                "{url} cannot be read from here: {why}; publish {wanted} there, without a redirect"
            ),
        ),
    }
}

async fn read(url: &str) -> Result<Value, String> {
    let fetch = Fetch::anywhere().map_err(|error| error.to_string())?;
    let answer = fetch.get(url).await.map_err(|error| error.to_string())?;
    if answer.status() != 200 {
        return Err(format!("status {}", answer.status()));
    }
    serde_json::from_slice(answer.body()).map_err(|error| error.to_string())
}
