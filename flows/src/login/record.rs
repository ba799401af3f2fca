//! How a completed sign-in becomes a row.

use store::{
    Tx,
    sign_in::{SignInRow, SignInSteps},
};

use super::machine::Complete;
use crate::{Cx, Result, sign_in::SignIn};

/// Records the completed steps, and from where and with what the last of them was posted. `complete` is proof: only the
/// machine makes one.
pub(super) async fn record_sign_in(
    cx: &Cx,
    tx: &mut Tx,
    complete: &Complete,
    browser_and_system: Option<String>,
) -> Result<SignIn> {
    let first = complete.first();
    let row = SignInRow {
        id: cx.id(),
        user_id: first.user,
        epoch: first.epoch,
        steps: SignInSteps {
            first: first.step.word(),
            // Both are the moment at which the attempt that proved them was completed (decision 1).
            first_at: cx.now,
            second: complete.second(),
            second_at: complete.second().map(|_| cx.now),
            mailbox_only: false,
        },
        network: cx.trace.network.map(|address| address.to_string()),
        browser_and_system,
    };
    store::sign_in::insert(tx, &row).await?;
    Ok(SignIn::of_row(&row))
}
