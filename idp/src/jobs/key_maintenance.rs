//! Periodic tasks about keys.

use flows::{
    change_authority::ChangeAuthority,
    root_keys::{self, BATCH},
    signing_keys::{self, MaintenanceReport},
};

use crate::app::App;

/// Signing keys: replaced by age, ended, forgotten.
pub(super) async fn maintain_signing_keys(app: App) -> Result<(), flows::Error> {
    let tended = signing_keys::maintain(&app.system_cx("signing_keys")).await?;
    if tended != MaintenanceReport::default() {
        let MaintenanceReport { published, ended, forgotten } = tended;
        tracing::info!(?published, ?ended, forgotten, "signing keys were replaced or have ended");
    }
    Ok(())
}

/// As the trail names the part that seals again.
const COMPONENT: &str = "root_keys";

/// What an older root key seals is sealed with the current one.
pub(super) async fn reseal(app: App) -> Result<(), flows::Error> {
    let authority = ChangeAuthority::from_program(COMPONENT, "an older root key");
    match root_keys::reseal(&app.system_cx(COMPONENT), &authority, BATCH, |_| {}).await? {
        Ok(0) => {}
        Ok(values) => tracing::info!(values, "sealed again with the current root key"),
        Err(superseded) => tracing::warn!(%superseded, "nothing is sealed again"),
    }
    Ok(())
}
