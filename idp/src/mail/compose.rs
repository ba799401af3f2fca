//! Composes the message of a letter (RFC 5322) and checks it.

use askama::Template;
use flows::email::EmailAddress;
use flows::mail::{Letter, Recipient};
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use store::{JobId, Timestamp};
use url::Host;

use super::check::{self, Malformed};
use super::context::MailContext;
use super::message::{ComposedMail, one_line};
use super::text::MailText;
use crate::clock::system_time;
use crate::config::Colour;

/// The limit of a display name in characters.
const NAME_MAX: usize = 80;

/// Why there is no message to send.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ComposeError {
    /// Mail cannot be sent to the person's address.
    #[error("the address cannot be used")]
    UnusableAddress,
    /// The message failed its check and must not be sent.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// One try at sending a mail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendAttempt {
    /// The mail's job.
    pub(crate) job: JobId,
    /// The number of this try, from 1.
    pub(crate) tries: i64,
    /// The time of this try.
    pub(crate) now: Timestamp,
}

#[derive(Template)]
#[template(path = "mail/mail.txt")]
struct PlainTemplate<'a> {
    text: &'a MailText,
}

#[derive(Template)]
#[template(path = "mail/mail.html")]
struct HtmlTemplate<'a> {
    text: &'a MailText,
    language: &'a str,
    colour: Option<Colour>,
    /// `Content-ID` of the logo.
    logo: Option<&'a str>,
}

impl MailContext<'_> {
    /// The message of a letter, for one try at sending it.
    ///
    /// # Errors
    /// When the address cannot be used, or the message fails its check.
    pub(crate) fn compose(
        &self,
        letter: &Letter,
        attempt: SendAttempt,
    ) -> Result<ComposedMail, ComposeError> {
        let text = MailText::of(self, letter);
        let composed = self.build_message(&text, &letter.recipient, attempt)?;
        let logo = self.brand.mail_logo().map(|_| self.logo_id());
        check::check(&composed, &text, logo.as_deref())?;
        Ok(composed)
    }

    fn build_message(
        &self,
        text: &MailText,
        recipient: &Recipient,
        attempt: SendAttempt,
    ) -> Result<ComposedMail, ComposeError> {
        let to = parse_address(&recipient.address).ok_or(ComposeError::UnusableAddress)?;
        let from = self.sender.name.as_ref().unwrap_or(&self.brand.name);
        let id = format!("{}.{}", attempt.job.uuid().simple(), attempt.tries);
        let message_id = format!("<{id}@{}>", self.sender.address.domain());
        // Not from the headers: their reader knows no quoted local part.
        let envelope = Envelope::new(Some(self.sender.address.clone()), vec![to.clone()])
            .map_err(|error| Malformed::new(format!("no envelope: {error}")))?;
        let message = Message::builder()
            .envelope(envelope)
            .date(system_time(attempt.now))
            .message_id(Some(message_id.clone()))
            .from(Mailbox::new(display_name(from), self.sender.address.clone()))
            .to(Mailbox::new(display_name(&recipient.name), to))
            .subject(one_line(&text.subject))
            .raw_header(header("Content-Language", text.language.tag()))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"))
            .raw_header(header("Feedback-ID", &self.feedback_id(text)))
            .raw_header(header("X-Entity-Ref-ID", &id))
            .multipart(self.build_parts(text, &id)?)
            .map_err(|error| Malformed::new(format!("no message: {error}")))?;
        Ok(ComposedMail {
            envelope: message.envelope().clone(),
            bytes: message.formatted(),
            message_id,
        })
    }

    /// The plain part first: a mail program shows the last one that it understands (RFC 2046, section 5.1.4).
    fn build_parts(&self, text: &MailText, id: &str) -> Result<MultiPart, Malformed> {
        let plain = render(&PlainTemplate { text })?;
        let logo = self.brand.mail_logo();
        let content_id = logo.map(|_| self.logo_id());
        let language = text.language.tag();
        let (colour, logo_id) = (self.brand.colour, content_id.as_deref());
        let html = render(&HtmlTemplate { text, language, colour, logo: logo_id })?;
        let parts = MultiPart::alternative()
            .boundary(format!("=_{id}"))
            .singlepart(build_part(ContentType::TEXT_PLAIN, plain));
        let html = build_part(ContentType::TEXT_HTML, html);
        let (Some(logo), Some(content_id)) = (logo, content_id) else {
            return Ok(parts.singlepart(html));
        };
        let kind = ContentType::parse(logo.content_type())
            .map_err(|error| Malformed::new(format!("no logo: {error}")))?;
        let picture = Attachment::new_inline(content_id).body(logo.bytes.to_vec(), kind);
        let related = MultiPart::related().boundary(format!("=_{id}.logo"));
        Ok(parts.multipart(related.singlepart(html).singlepart(picture)))
    }

    /// `Content-ID` of the logo (RFC 2392): a picture within the mail, so that nothing is loaded to show it.
    fn logo_id(&self) -> String {
        format!("logo@{}", self.sender.address.domain())
    }

    /// `category:language:host:brand`, by which Gmail reports complaints.
    fn feedback_id(&self, text: &MailText) -> String {
        let brand: String = slug(&self.brand.name).chars().take(15).collect();
        format!("{}:{}:{}:{brand}", text.category, text.language.tag(), slug(self.host()))
    }
}

fn render(template: &impl Template) -> Result<String, Malformed> {
    template.render().map_err(|error| Malformed::new(format!("no part: {error}")))
}

/// Always quoted-printable: lines are short, and the encoding does not depend on the brand's name.
fn build_part(kind: ContentType, content: String) -> SinglePart {
    SinglePart::builder()
        .header(kind)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(content)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), one_line(value))
}

/// The stored spelling. A domain that is not ASCII is written in its A-label form (RFC 5890), so that it does not require
/// SMTPUTF8.
fn parse_address(stored: &str) -> Option<Address> {
    let entry = EmailAddress::parse(stored).ok()?;
    let (local, domain) = entry.as_written().rsplit_once('@')?;
    let bare = domain.strip_suffix('.').unwrap_or(domain);
    let domain =
        if bare.is_ascii() { bare.to_owned() } else { Host::parse(bare).ok()?.to_string() };
    // Dots in places where an unquoted local part has none occur in real addresses, and servers take them quoted (RFC 5321,
    // section 4.1.2).
    Address::new(local, &domain).or_else(|_| Address::new(format!("\"{local}\""), &domain)).ok()
}

/// A name for a header: one line, without direction marks, at most [`NAME_MAX`] characters.
fn display_name(name: &str) -> Option<String> {
    let kept: String = one_line(name).chars().take(NAME_MAX).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

fn slug(text: &str) -> String {
    let kept = text.to_ascii_lowercase();
    kept.replace(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-'), "-")
}

#[cfg(test)]
mod tests;
