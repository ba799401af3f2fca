//! Periodic tasks about keys.

use flows::{
    root_keys::{self, BATCH},
    signing_keys::{self, Tended},
};

use crate::app::App;

/// Signing keys: replaced by age, ended, forgotten.
pub(super) async fn tend(app: App) -> Result<(), flows::Error> {
    let tended = signing_keys::tend(&app.system_cx("signing_keys")).await?;
    if tended != Tended::default() {
        let Tended { published, ended, forgotten } = tended;
        tracing::info!(?published, ?ended, forgotten, "signing keys were replaced or have ended");
    }
    Ok(())
}

/// What an older root key seals is sealed with the current one.
pub(super) async fn reseal(app: App) -> Result<(), flows::Error> {
    match root_keys::reseal(&app.system_cx("root_keys"), BATCH, |_| {}).await? {
        Ok(0) => {}
        Ok(values) => tracing::info!(values, "sealed again with the current root key"),
        Err(superseded) => tracing::warn!(%superseded, "nothing is sealed again"),
    }
    Ok(())
}
