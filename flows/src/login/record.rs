//! Recording a completed sign-in as a row.

use store::{
    Tx,
    sign_in::{SignInRow, SignInSteps},
};

use super::machine::SignInProof;
use crate::{Cx, Result, sign_in::SignIn};

/// Records the completed steps, with the network and the browser of the last post. `proof` can be constructed only by the
/// machine.
pub(super) async fn record_sign_in(
    cx: &Cx,
    tx: &mut Tx,
    proof: &SignInProof,
    browser_and_system: Option<String>,
) -> Result<SignIn> {
    let first = proof.first();
    let row = SignInRow {
        id: cx.new_id(),
        user_id: first.user,
        epoch: first.epoch,
        steps: SignInSteps {
            first: first.step.first_method(),
            // Both times are the completion of the attempt that proved them (decision 1).
            first_at: cx.now,
            second: proof.second_method(),
            second_at: proof.second_method().map(|_| cx.now),
            mailbox_only: false,
        },
        network: cx.trace.client_address.map(|address| address.to_string()),
        browser_and_system,
    };
    store::sign_in::insert(tx, &row).await?;
    Ok(SignIn::of_row(&row))
}
