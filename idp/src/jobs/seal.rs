//! Sealing the audit trail, a second after its rows were written.

use flows::trail::seal;

use crate::app::App;

/// The limit on seals in one run; the next run continues.
const MAX_SEALS: usize = 50;

/// Whether a row waits for its seal.
pub(super) async fn is_due(app: App) -> Result<bool, flows::Error> {
    seal::is_due(&app.system_cx("seal")).await
}

/// Seals the rows that wait for a seal.
pub(super) async fn seal_pending(app: App) -> Result<(), flows::Error> {
    for _ in 0..MAX_SEALS {
        let cx = app.system_cx("seal");
        let before = seal::newest(&cx).await?;
        let sealed = match seal::seal_next(&cx).await {
            Ok(sealed) => sealed,
            // Another replica has taken the lease and continues: then there is a newer seal.
            Err(flows::Error::Conflict) if seal::newest(&cx).await? > before => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(sealed) = sealed else { return Ok(()) };
        if sealed.first_of_hour {
            // Kept outside the database, the head shows whether the end of the chain was deleted.
            tracing::info!(head = %sealed.head, "the audit trail is sealed up to here");
        }
        if sealed.forged > 0 {
            tracing::error!(
                rows = sealed.forged,
                seal = sealed.head.sequence,
                "alarm: rows of the audit trail were not written by this program; run `idp audit verify`"
            );
        }
        if !sealed.is_full {
            return Ok(());
        }
    }
    Ok(())
}
