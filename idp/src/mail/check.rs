//! The last check of a mail before it is sent: its bytes are parsed, by another library than the one that wrote them, and
//! compared with the intended text. A mail that is blank, lacks its code or contradicts itself is not sent.

use std::borrow::Cow;

use mail_parser::decoders::html::html_to_text;
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::forbidden::first_forbidden;
use super::message::{ComposedMail, one_line};
use super::text::MailText;

/// The limit of the HTML part in bytes. Gmail cuts a mail off far above this.
const HTML_MAX: usize = 15 * 1024;
/// The limit of the whole message in bytes.
const MESSAGE_MAX: usize = 48 * 1024;
/// The limit of a line in bytes, without the line break (RFC 5322, section 2.1.1).
const LINE_MAX: usize = 998;

/// The headers of a mail: each exactly once, and no other. A mail with another one (`List-Unsubscribe`, `Precedence`,
/// `References`, `Bcc`, or one that a name injected) is not sent.
const HEADERS: [&str; 12] = [
    "auto-submitted",
    "content-language",
    "content-type",
    "date",
    "feedback-id",
    "from",
    "message-id",
    "mime-version",
    "subject",
    "to",
    "x-auto-response-suppress",
    "x-entity-ref-id",
];

/// What is wrong with a mail, without its contents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(String);

impl Malformed {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

type CheckOutcome<T = ()> = Result<T, Malformed>;

fn ensure(holds: bool, why: &str) -> CheckOutcome {
    if holds { Ok(()) } else { Err(Malformed::new(why)) }
}

/// Parses a mail and compares it with its intended text.
pub(super) fn check(mail: &ComposedMail, wanted: &MailText, logo: Option<&str>) -> CheckOutcome {
    check_lines(&mail.bytes)?;
    let message = MessageParser::default().parse(&mail.bytes);
    let message = message.ok_or_else(|| Malformed::new("is not a message"))?;
    let (text, html) = check_parts(&message, logo)?;
    let html = without_logo(html, logo)?;
    check_headers(&message, mail, wanted)?;
    let content = collapse_whitespace(text);
    ensure(!content.is_empty(), "the text part is blank")?;
    check_content(&content, wanted, "text")?;
    if let Some(bound) = &wanted.bound {
        ensure(
            text.lines().last() == Some(bound),
            "the text part does not end with the bound code",
        )?;
    }
    ensure(html.len() <= HTML_MAX, "the HTML part is too large")?;
    let content = collapse_whitespace(&html_to_text(&without_preheader(&html)?));
    ensure(!content.is_empty(), "the HTML part is blank")?;
    check_content(&content, wanted, "HTML")
}

/// Lines end in CR LF, no CR or LF is alone (RFC 5321, section 2.3.8), and none is too long.
fn check_lines(bytes: &[u8]) -> CheckOutcome {
    ensure(bytes.len() <= MESSAGE_MAX, "the message is too large")?;
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        ensure(line.len() <= LINE_MAX, "a line is too long")?;
        ensure(!line.contains(&b'\r'), "a carriage return has no line feed")?;
    }
    let breaks = |pair: &&[u8]| matches!(pair, [before, b'\n'] if *before != b'\r');
    ensure(!bytes.windows(2).any(|pair| breaks(&pair)), "a line feed has no carriage return")
}

/// A `multipart/alternative` of a plain part and an HTML part, in this order, with no other part but the logo, which is
/// beside the HTML part (RFC 2387).
fn check_parts<'m>(
    message: &'m Message<'_>,
    logo: Option<&str>,
) -> CheckOutcome<(&'m str, &'m str)> {
    let (root, text, html) = match (message.parts.as_slice(), logo) {
        ([root, text, html], None) => (root, text, html),
        ([root, text, related, html, picture], Some(id)) => {
            ensure(is_multipart(related, "related"), "its logo is not beside its HTML part")?;
            ensure(picture.content_id() == Some(id), "has another picture than the logo")?;
            let is_picture =
                matches!(picture.body, PartType::InlineBinary(_) | PartType::Binary(_));
            ensure(is_picture && !picture.is_encoding_problem, "the logo cannot be decoded")?;
            (root, text, html)
        }
        (_, None) => return Err(Malformed::new("does not have exactly two parts")),
        (_, Some(_)) => return Err(Malformed::new("does not have exactly two parts and a logo")),
    };
    ensure(is_multipart(root, "alternative"), "is not multipart/alternative")?;
    let whole = |part: &MessagePart<'_>| !part.is_encoding_problem;
    ensure(whole(text) && whole(html), "a part cannot be decoded")?;
    match (&text.body, &html.body) {
        (PartType::Text(text), PartType::Html(html)) => Ok((text, html)),
        _ => Err(Malformed::new("is not a plain part and then an HTML part")),
    }
}

fn is_multipart(part: &MessagePart<'_>, subtype: &str) -> bool {
    part.content_type().and_then(|kind| kind.subtype()) == Some(subtype)
}

/// The HTML without the one picture that it may have, which is a part of the same mail.
fn without_logo<'h>(html: &'h str, logo: Option<&str>) -> CheckOutcome<Cow<'h, str>> {
    let Some(id) = logo else { return Ok(html.into()) };
    let shown = html.split_once(&format!("<img src=\"cid:{id}\"")).and_then(|(before, rest)| {
        let (_, after) = rest.split_once('>')?;
        Some(format!("{before}{after}").into())
    });
    shown.ok_or_else(|| Malformed::new("the HTML part does not show the logo"))
}

fn check_headers(message: &Message<'_>, mail: &ComposedMail, wanted: &MailText) -> CheckOutcome {
    let mut names: Vec<String> =
        message.headers().iter().map(|header| header.name().to_ascii_lowercase()).collect();
    names.sort_unstable();
    ensure(names == HEADERS, "does not have exactly the expected headers")?;
    let [to] = mail.envelope.to() else {
        return Err(Malformed::new("does not have exactly one recipient"));
    };
    ensure(single_address(message.to()) == Some(to.as_ref()), "To is not the recipient")?;
    let from = mail.envelope.from();
    let sender = from.map(AsRef::as_ref);
    ensure(sender.is_some() && single_address(message.from()) == sender, "From is not the sender")?;
    ensure(message.date().is_some_and(mail_parser::DateTime::is_valid), "Date cannot be read")?;
    let domain = message.message_id().and_then(|id| id.rsplit_once('@')).map(|(_, domain)| domain);
    ensure(
        domain.is_some() && domain == from.map(lettre::Address::domain),
        "Message-ID is not ours",
    )?;
    check_subject(message.subject().unwrap_or_default(), wanted)
}

fn check_subject(subject: &str, wanted: &MailText) -> CheckOutcome {
    ensure(!subject.trim().is_empty(), "the subject is empty")?;
    ensure(subject == one_line(&wanted.subject), "the subject is not what it should be")?;
    check_permitted(subject, "the subject")?;
    let contains_code =
        |code: &str| subject.contains(code) || subject.contains(&code.replace(' ', ""));
    ensure(!wanted.code.as_deref().is_some_and(contains_code), "the code is in the subject")
}

/// The address, if there is exactly one.
fn single_address<'m>(addresses: Option<&'m Address<'_>>) -> Option<&'m str> {
    let mut all = addresses?.iter();
    let first = all.next()?.address();
    if all.next().is_some() { None } else { first }
}

/// A part has every sentence and every fact, and no forbidden text.
fn check_content(content: &str, wanted: &MailText, part: &str) -> CheckOutcome {
    let lacks = |what: &str| Malformed::new(format!("the {part} part lacks {what}"));
    if !wanted.facts.iter().all(|fact| !fact.is_empty() && content.contains(fact.as_str())) {
        return Err(lacks("a fact"));
    }
    let mut rest = content;
    for sentence in wanted.sentences().map(collapse_whitespace) {
        let (_, after) = rest
            .split_once(&sentence)
            .filter(|_| !sentence.is_empty())
            .ok_or_else(|| lacks("a sentence"))?;
        rest = after;
    }
    check_permitted(content, &format!("the {part} part"))
}

fn check_permitted(text: &str, place: &str) -> CheckOutcome {
    match first_forbidden(text) {
        Some(forbidden) => Err(Malformed::new(format!("{place} contains `{forbidden}`"))),
        None => Ok(()),
    }
}

/// The HTML without its preheader, the sentence that only lists of mails show.
fn without_preheader(html: &str) -> CheckOutcome<String> {
    check_permitted(html, "the HTML part")?;
    let hidden = html.split_once("<div style=\"display:none").and_then(|(before, rest)| {
        let (_, after) = rest.split_once("</div>")?;
        Some(format!("{before}{after}"))
    });
    hidden.ok_or_else(|| Malformed::new("the HTML part has no preheader"))
}

/// The words of a text with one space between them.
fn collapse_whitespace(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
