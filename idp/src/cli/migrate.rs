//! `idp migrate`.

use super::{Done, place::Where, print};

pub(super) async fn run(at: &Where) -> Done {
    let place = at.open_any().await?;
    if place.db.is_migrated().await? {
        print::line("The database has the schema of this build already, or a newer one.");
        return Ok(());
    }
    place.db.migrate().await?;
    print::line("The database now has the schema of this build.");
    Ok(())
}
