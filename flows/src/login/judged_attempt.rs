//! The attempt that a posted proof of the second step is judged for, by any method.

use store::user::UserWithPassword;

use super::{
    Answer, apply, machine,
    state::{PendingNewPassword, PendingSecondStep, State},
};
use crate::attempt::{Attempt, AttemptLookup, LoadedAttempt};

/// The attempt, or the answer to send instead. With an earlier value of its cookie a browser reaches only what it has
/// proven: a double click.
pub(super) fn of_post(found: AttemptLookup) -> Result<Box<LoadedAttempt>, Box<Answer>> {
    match found {
        AttemptLookup::ThisBrowser(Attempt::Row(loaded)) => Ok(loaded),
        AttemptLookup::PreviousCookie(loaded) if loaded.state.is_second_step_proven() => Ok(loaded),
        AttemptLookup::ThisBrowser(sealed @ Attempt::Sealed { .. }) => {
            Err(Box::new(Answer::Show(sealed.id(), None)))
        }
        AttemptLookup::PreviousCookie(_) | AttemptLookup::Stale(_) | AttemptLookup::NotFound => {
            Err(Box::new(Answer::StartAgain))
        }
    }
}

/// Whether the first step of an open attempt still counts: otherwise no proof of the second leads on, and none is charged.
pub(super) fn first_step_counts(state: &State, person: &UserWithPassword) -> bool {
    match state {
        State::Second(PendingSecondStep { first, .. })
        | State::NewPassword(PendingNewPassword { first, .. }) => {
            machine::still_counts(*first, apply::usable_person(person))
        }
        State::Password | State::Complete(_) | State::Cancelled => true,
    }
}
