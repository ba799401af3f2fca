//! `idp key`: signing keys.

use std::time::Duration;

use clap::{Args, Subcommand};
use flows::signing_keys::{self, ListedKey, Rotation, RotationOutcome};
use keys::Algorithm;
use serde_json::{Value, json};

use super::{
    CommandError, CommandResult,
    change::ChangeArgs,
    client::IdTokenAlg,
    data_source::{DataSource, DataSourceArgs},
    print, root_key,
};
use crate::clock::{Clock, rfc3339};

/// The most by which this machine's clock may be off: a key published by a clock that is fast or slow could sign before
/// every client has fetched it.
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// List and replace signing keys, and the root key that seals them.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// List signing keys with their states and times. Public halves only.
    List {
        #[command(flatten)]
        at: DataSourceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Publish new signing keys. They sign ten minutes later, when every client has fetched them.
    Rotate(Rotate),
    /// Show the root keys, and what still needs each of them.
    Root {
        #[command(flatten)]
        at: DataSourceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Seal values of older root keys again, with the current one. May be stopped, and continues when run again.
    Reseal {
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON: a line for each batch, then what still needs each root key.
        #[arg(long)]
        json: bool,
    },
}

/// The options of a rotation.
#[derive(Args, Debug)]
pub(super) struct Rotate {
    /// Only the keys of this algorithm; all if left out.
    #[arg(long, value_enum)]
    alg: Option<IdTokenAlg>,
    /// An attacker may have the old keys: the new ones sign at once, and tokens of the old ones are no longer accepted.
    #[arg(long)]
    compromised: bool,
    #[command(flatten)]
    change: ChangeArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl KeyCommand {
    pub(super) async fn run(self) -> CommandResult {
        match self {
            Self::List { at, json } => list(&at, json).await,
            Self::Rotate(rotate) => rotate.run().await,
            Self::Root { at, json } => root_key::show(&at, json).await,
            Self::Reseal { change, json } => root_key::reseal(&change, json).await,
        }
    }
}

async fn list(at: &DataSourceArgs, json: bool) -> CommandResult {
    let cx = at.open().await?.cx().await?;
    let listed = signing_keys::list(&cx).await?;
    if json {
        print::json(&listed.iter().map(document).collect::<Value>());
        return Ok(());
    }
    for key in &listed {
        print::line(&format!(
            "{:<14} {:<6} {:<8}{}",
            key.kid,
            key.algorithm,
            key.state.as_str(),
            format_times(key)
        ));
    }
    Ok(())
}

fn document(key: &ListedKey) -> Value {
    json!({
        "kid": key.kid, "alg": key.algorithm, "state": key.state.as_str(),
        "created_at": key.published_from.map(rfc3339), "signs_from": key.signs_from.map(rfc3339),
        "published_until": key.published_until.map(rfc3339),
    })
}

fn format_times(key: &ListedKey) -> String {
    let part = |words: &str, at: Option<store::Timestamp>| {
        at.map_or_else(String::new, |at| format!(" {words} {}", rfc3339(at)))
    };
    [
        part("published from", key.published_from),
        part("signs from", key.signs_from),
        part("published until", key.published_until),
    ]
    .concat()
}

impl Rotate {
    async fn run(self) -> CommandResult {
        let authority = self.change.authority()?;
        let data_source = self.change.open().await?;
        check_clock_skew(&data_source).await?;
        let cx = data_source.cx().await?;
        let algorithms =
            self.alg.map_or(Algorithm::ALL.to_vec(), |chosen| vec![Algorithm::from(chosen)]);
        let mut documents = Vec::new();
        for algorithm in algorithms {
            let rotation = Rotation { algorithm, compromised: self.compromised };
            let replaced = signing_keys::rotate(&cx, &authority, rotation).await?;
            if self.json {
                documents.push(rotation_json(algorithm, &replaced));
            } else {
                print::line(&rotation_text(algorithm, &replaced));
            }
        }
        if self.json {
            print::json(&Value::Array(documents));
        }
        Ok(())
    }
}

async fn check_clock_skew(data_source: &DataSource) -> CommandResult {
    let (there, here) = (data_source.db.clock().await?, Clock::system().now());
    let skew = here.since(there).max(there.since(here));
    if skew > MAX_CLOCK_SKEW {
        let millis = skew.as_millis();
        return Err(CommandError::new(format!(
            "the clock of this machine differs from the database's by {millis} ms, and keys begin to sign by the clock: \
             set it, or run this where a replica runs"
        )));
    }
    Ok(())
}

fn rotation_json(algorithm: Algorithm, replaced: &RotationOutcome) -> Value {
    let (done, kid, signs_from, removed) = match replaced {
        RotationOutcome::Rotated { kid, signs_from, removed } => {
            (true, kid, signs_from, removed.as_slice())
        }
        RotationOutcome::AlreadyPending { kid, signs_from } => (false, kid, signs_from, &[][..]),
    };
    json!({
        "alg": algorithm.as_str(), "published": done, "kid": kid, "signs_from": rfc3339(*signs_from),
        "removed": removed,
    })
}

fn rotation_text(algorithm: Algorithm, replaced: &RotationOutcome) -> String {
    match replaced {
        RotationOutcome::Rotated { kid, signs_from, removed } if removed.is_empty() => {
            format!("{algorithm}: {kid} is published and signs from {}.", rfc3339(*signs_from))
        }
        RotationOutcome::Rotated { kid, removed, .. } => format!(
            "{algorithm}: {kid} signs now. No token of {} is accepted any more.",
            removed.join(", ")
        ),
        RotationOutcome::AlreadyPending { kid, signs_from } => format!(
            "{algorithm}: {kid} is published already and signs from {}; nothing was changed.",
            rfc3339(*signs_from)
        ),
    }
}
