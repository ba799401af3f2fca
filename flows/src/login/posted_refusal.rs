//! What a post was refused for, on its way to the page that shows it: every post is answered by a redirect (post, redirect,
//! get), so that Back, Forward and a reload post nothing again.
//!
//! The address of the page carries it sealed. It belongs to one attempt as it was after that post: the page shows it until
//! another post changes the attempt, or for a quarter of an hour, and reading it writes nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::Timestamp;

use super::{
    refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    show::{PageLocation, PageRevision},
};
use crate::{Cx, Result, network::RateLimited};

const AAD: &str = "vestibule/refusal/v1";
/// How long the page shows it.
const SHOWN_FOR: Duration = Duration::from_mins(15);
/// Characters of what was typed that are put back into the form: as many as the longest address has.
const MAX_TYPED: usize = 254;

/// What a post was refused for, and what was typed into it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedRefusal {
    /// Why it did not lead further; none where only what was typed is kept.
    pub refusal: Option<Refusal>,
    /// The address or the code, as it was typed; never a password.
    pub typed: String,
}

#[derive(Serialize, Deserialize)]
struct SealedRefusal {
    at: Timestamp,
    revision: PageRevision,
    posted: PostedRefusal,
}

impl PostedRefusal {
    /// A refusal of a post.
    #[must_use]
    pub fn new(refusal: Option<Refusal>, typed: &str) -> Self {
        Self { refusal, typed: typed.chars().take(MAX_TYPED).collect() }
    }

    /// Seals it for the address of a page, if there is anything to say.
    ///
    /// # Errors
    ///
    /// It cannot be encrypted.
    pub fn seal(self, cx: &Cx, page: &PageLocation) -> Result<Option<String>> {
        if self == Self::default() {
            return Ok(None);
        }
        let sealed = SealedRefusal { at: cx.now, revision: page.revision, posted: self };
        let plain = serde_json::to_vec(&sealed)?;
        Ok(Some(cx.root.seal_text(&cx.rng, &aad(page), &plain)?))
    }

    /// The same of a post to another step than the one whose page shows it: what was typed is not for its field.
    #[must_use]
    pub fn without_typed(self) -> Self {
        Self { typed: String::new(), ..self }
    }

    /// Opens one. Nothing is shown of one that is of another attempt, of before a change of it, too old, or of another build,
    /// nor of a wait that is over.
    #[must_use]
    pub fn open(cx: &Cx, page: &PageLocation, sealed: &str) -> Self {
        let opened: Option<SealedRefusal> = cx
            .root
            .open_text(&aad(page), sealed)
            .ok()
            .and_then(|plain| serde_json::from_slice(&plain).ok());
        let Some(SealedRefusal { posted, .. }) =
            opened.filter(|sealed| sealed.revision == page.revision && is_recent(cx, sealed.at))
        else {
            return Self::default();
        };
        let refusal = posted.refusal.filter(|refusal| !is_over(*refusal, cx));
        Self { refusal, ..posted }
    }
}

/// An address that was typed is not for the next person at a shared device, and a refusal not for another day.
fn is_recent(cx: &Cx, at: Timestamp) -> bool {
    cx.now.since(at) <= SHOWN_FOR
}

fn aad(page: &PageLocation) -> Vec<u8> {
    format!("{AAD}\n{}", page.attempt).into_bytes()
}

/// Whether it asked for a wait that has ended.
fn is_over(refusal: Refusal, cx: &Cx) -> bool {
    match refusal {
        Refusal::Password(PasswordRefusal::Paused(until))
        | Refusal::Code(CodeRefusal::Paused(until))
        | Refusal::Mail(MailRefusal::SendLater(until))
        | Refusal::NetworkPaused(RateLimited { until, .. }) => until <= cx.now,
        Refusal::Password(_)
        | Refusal::Code(_)
        | Refusal::Mail(_)
        | Refusal::Passkey(_)
        | Refusal::NewPassword(_)
        | Refusal::StartAgain
        | Refusal::OutOfTurn => false,
    }
}
