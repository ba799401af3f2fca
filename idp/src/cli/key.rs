//! `idp key`.

use clap::Subcommand;
use flows::signing_keys;
use serde_json::{Value, json};

use super::{Done, place::Where, print};
use crate::clock::rfc3339;

/// List signing keys.
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List signing keys: the public side only.
    List {
        #[command(flatten)]
        at: Where,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Key {
    pub(super) async fn run(self) -> Done {
        let Self::List { at, json } = self;
        let cx = at.open().await?.cx().await?;
        let listed = signing_keys::list(&cx).await?;
        if json {
            let keys = listed.iter().map(|key| {
                json!({
                    "kid": key.id, "alg": key.algorithm, "created_at": rfc3339(key.created_at),
                    "signs_from": rfc3339(key.signs_from),
                })
            });
            print::json(&keys.collect::<Value>());
            return Ok(());
        }
        for key in listed {
            let (made, signs) = (rfc3339(key.created_at), rfc3339(key.signs_from));
            print::line(&format!(
                "{:<16} {:<6} made {made}, signs from {signs}",
                key.id, key.algorithm
            ));
        }
        Ok(())
    }
}
