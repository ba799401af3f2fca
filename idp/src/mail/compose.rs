//! From a letter to the bytes of a message (RFC 5322) that was read back and found whole.

use std::fmt;

use askama::Template;
use flows::notify::Letter;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use store::{JobId, Timestamp};
use url::Host;

use super::check::{self, Malformed};
use super::context::MailContext;
use super::words::Words;
use crate::clock::system_time;

/// Characters of a name that are kept.
const NAME_MAX: usize = 80;

/// A message that may leave.
#[derive(Clone)]
pub(crate) struct Composed {
    /// Who it is from and to, for the mail server.
    pub(crate) envelope: Envelope,
    /// The whole message with its headers.
    pub(crate) bytes: Vec<u8>,
    /// Its `Message-ID`.
    pub(crate) message_id: String,
}

/// There is no message that could leave.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    /// The person's address is none that mail can be sent to.
    #[error("the address cannot be used")]
    Address,
    /// The message is not what it should be, and must not leave.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Which try at which mail this is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// The mail's job.
    pub(crate) job: JobId,
    /// Counts its tries.
    pub(crate) tries: i64,
    /// The time of this try.
    pub(crate) now: Timestamp,
}

impl fmt::Debug for Composed {
    /// Without the bytes, which hold a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composed").field("message_id", &self.message_id).finish_non_exhaustive()
    }
}

#[derive(Template)]
#[template(path = "mail/mail.txt")]
struct Text<'a> {
    words: &'a Words,
}

#[derive(Template)]
#[template(path = "mail/mail.html")]
struct Html<'a> {
    words: &'a Words,
    language: &'a str,
}

impl MailContext<'_> {
    /// The message of a letter, for one try at sending it.
    ///
    /// # Errors
    /// When it must not leave.
    pub(crate) fn compose(
        &self,
        letter: &Letter,
        attempt: Attempt,
    ) -> Result<Composed, ComposeError> {
        let to = address(letter.address()).ok_or(ComposeError::Address)?;
        let words = Words::of(self, letter, attempt.now);
        let composed = self.message(&words, (letter.name(), to), attempt)?;
        check::check(&composed, &words)?;
        Ok(composed)
    }

    fn message(
        &self,
        words: &Words,
        (name, to): (&str, Address),
        attempt: Attempt,
    ) -> Result<Composed, Malformed> {
        let from = self.sender.name.as_ref().unwrap_or(&self.brand.name);
        let id = format!("{}.{}", attempt.job.uuid().simple(), attempt.tries);
        let message_id = format!("<{id}@{}>", self.sender.address.domain());
        let message = Message::builder()
            .date(system_time(attempt.now))
            .message_id(Some(message_id.clone()))
            .from(Mailbox::new(display_name(from), self.sender.address.clone()))
            .to(Mailbox::new(display_name(name), to))
            .subject(one_line(&words.subject))
            .raw_header(header("Content-Language", words.language.tag()))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"))
            .raw_header(header("Feedback-ID", &self.feedback_id(words)))
            .raw_header(header("X-Entity-Ref-ID", &id))
            .multipart(Self::parts(words, &id)?)
            .map_err(|error| Malformed::because(format!("no message: {error}")))?;
        Ok(Composed {
            envelope: message.envelope().clone(),
            bytes: message.formatted(),
            message_id,
        })
    }

    /// The plain part first: a reader shows the last one that it understands (RFC 2046, section 5.1.4).
    fn parts(words: &Words, id: &str) -> Result<MultiPart, Malformed> {
        let text = render(&Text { words })?;
        let html = render(&Html { words, language: words.language.tag() })?;
        Ok(MultiPart::alternative()
            .boundary(format!("=_{id}"))
            .singlepart(part(ContentType::TEXT_PLAIN, text))
            .singlepart(part(ContentType::TEXT_HTML, html)))
    }

    /// `purpose:language:host:brand`, by which Gmail reports complaints.
    fn feedback_id(&self, words: &Words) -> String {
        let brand: String = slug(&self.brand.name).chars().take(15).collect();
        format!("{}:{}:{}:{brand}", words.purpose, words.language.tag(), slug(self.host()))
    }
}

fn render(template: &impl Template) -> Result<String, Malformed> {
    template.render().map_err(|error| Malformed::because(format!("no part: {error}")))
}

/// Quoted-printable, always: short lines, and the same form whatever the brand is called.
fn part(kind: ContentType, content: String) -> SinglePart {
    SinglePart::builder()
        .header(kind)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(content)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), one_line(value))
}

/// The stored spelling. Only where a server would have to speak SMTPUTF8 for the domain alone is that written in its
/// A-label form, which is the same domain.
fn address(stored: &str) -> Option<Address> {
    let (local, domain) = stored.rsplit_once('@')?;
    let bare = domain.strip_suffix('.').unwrap_or(domain);
    if bare.is_ascii() {
        return Address::new(local, bare).ok();
    }
    Address::new(local, Host::parse(bare).ok()?.to_string()).ok()
}

/// A name for a header: in one line, without what would turn the text around it, and not endless.
fn display_name(name: &str) -> Option<String> {
    let kept: String = one_line(name).chars().take(NAME_MAX).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// Line breaks, other controls and direction marks become spaces, and many spaces one.
pub(super) fn one_line(text: &str) -> String {
    let unseen = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    text.split(unseen).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn slug(text: &str) -> String {
    let kept = text.to_ascii_lowercase();
    kept.replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-'), "-")
}

#[cfg(test)]
mod tests;
