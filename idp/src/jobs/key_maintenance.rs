//! Periodic tasks about keys.

use flows::{
    change_authority::ChangeAuthority,
    root_keys::{self, BATCH},
    signing_keys::{self, MaintenanceReport},
};

use crate::app::App;

/// Maintains the signing keys: replaces them by age, ends them, and deletes those that no hint can name.
pub(super) async fn maintain_signing_keys(app: App) -> Result<(), flows::Error> {
    let tended = signing_keys::maintain(&app.system_cx("signing_keys")).await?;
    if tended != MaintenanceReport::default() {
        let MaintenanceReport { published, ended, forgotten } = tended;
        tracing::info!(?published, ?ended, forgotten, "signing keys were replaced or have ended");
    }
    Ok(())
}

/// The name of this component in the audit trail.
const COMPONENT: &str = "root_keys";

/// Seals with the current root key what an older one has sealed.
pub(super) async fn reseal(app: App) -> Result<(), flows::Error> {
    let authority = ChangeAuthority::from_program(COMPONENT, "an older root key");
    match root_keys::reseal(&app.system_cx(COMPONENT), &authority, BATCH, |_| {}).await? {
        Ok(0) => {}
        Ok(values) => tracing::info!(values, "sealed again with the current root key"),
        Err(superseded) => tracing::warn!(%superseded, "nothing is sealed again"),
    }
    Ok(())
}
