//! What comes round for keys.

use flows::signing_keys::{self, Tended};

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
