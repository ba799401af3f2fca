//! `idp migrate`.

use super::{CommandResult, data_source::DataSourceArgs, print};

pub(super) async fn run(at: &DataSourceArgs) -> CommandResult {
    let data_source = at.open_any_schema().await?;
    if data_source.db.is_migrated().await? {
        print::line("The database has the schema of this build already, or a newer one.");
        return Ok(());
    }
    data_source.db.migrate().await?;
    print::line("The database now has the schema of this build.");
    Ok(())
}
