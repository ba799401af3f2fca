//! The mailbox of `dev`: mail that `serve` would send by SMTP, on a page and as JSON.
//!
//! Mails are parsed from the bytes that were sent, so that the page shows what a mail program would
//! show, and a malformed mail looks malformed here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use lettre::address::Envelope;
use mail_parser::{Message, MessageParser, MessagePart, PartType};
use serde::Serialize;

use super::page::{self, SECURITY_HEADERS};
use crate::clock::{Clock, rfc3339};

/// The most mails that are kept. The oldest is dropped first.
const MAX_MAILS: usize = 200;

/// The mails that were sent, newest first.
#[derive(Debug)]
pub struct Mailbox {
    clock: Clock,
    mails: Mutex<VecDeque<ReceivedMail>>,
}

/// One mail, as a mail program would show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceivedMail {
    /// The recipients in the envelope, separated by commas.
    pub to: String,
    /// The decoded subject.
    pub subject: String,
    /// The part for readers without HTML; empty when there is none.
    pub text: String,
    /// The HTML part; empty when there is none.
    pub html: String,
    /// The six digits, without spaces, when the mail has a code.
    pub code: Option<String>,
    /// When it was sent (RFC 3339, UTC).
    pub at: String,
}

impl Mailbox {
    /// An empty mailbox.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, mails: Mutex::new(VecDeque::new()) }
    }

    /// Stores one mail; `bytes` is the whole message with its headers.
    pub(crate) fn receive(&self, envelope: &Envelope, bytes: &[u8]) {
        let mail = ReceivedMail::parse(envelope, bytes, rfc3339(self.clock.now()));
        let mut mails = self.lock();
        mails.push_front(mail);
        mails.truncate(MAX_MAILS);
    }

    /// All kept mails, newest first.
    #[must_use]
    pub fn mails(&self) -> Vec<ReceivedMail> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<ReceivedMail>> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReceivedMail {
    fn parse(envelope: &Envelope, bytes: &[u8], at: String) -> Self {
        let to = envelope.to().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        // The parser returns `None` for an empty message, and its accessors panic on a default one.
        let message = MessageParser::default().parse(bytes);
        let message = message.as_ref();
        let text = first_part(message, |part| matches!(part.body, PartType::Text(_)));
        let html = first_part(message, |part| matches!(part.body, PartType::Html(_)));
        let subject = message.and_then(Message::subject).unwrap_or_default().to_owned();
        let code = find_code(&text);
        Self { to, subject, text, html, code, at }
    }

    /// The code as the mail shows it: `123 456`.
    fn shown_code(&self) -> Option<String> {
        let (first, last) = self.code.as_ref()?.split_at_checked(3)?;
        Some(format!("{first} {last}"))
    }
}

/// The first part of a kind that the mail really has: the parser would convert another one.
fn first_part(message: Option<&Message<'_>>, wanted: impl Fn(&MessagePart<'_>) -> bool) -> String {
    let found = message.and_then(|message| message.parts.iter().find(|part| wanted(part)));
    found.and_then(MessagePart::text_contents).unwrap_or_default().to_owned()
}

/// The code of a mail: that of the line that binds it to our domain (`@host #123456`), or else the
/// first separate six digits, in one word or in two of three.
fn find_code(text: &str) -> Option<String> {
    let bound = text.lines().rev().find_map(|line| {
        let (_, code) = line.trim().strip_prefix('@')?.split_once(" #")?;
        is_digits(code, 6).then(|| code.to_owned())
    });
    bound.or_else(|| find_loose_code(text))
}

fn find_loose_code(text: &str) -> Option<String> {
    let bare = |word: &'_ str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let words: Vec<String> =
        std::iter::once(String::new()).chain(text.split_whitespace().map(bare)).collect();
    words.windows(3).find_map(|three| match three {
        [_, whole, _] if is_digits(whole, 6) => Some(whole.clone()),
        // Digits before it make it a telephone number.
        [before, first, last] if is_digits(first, 3) && is_digits(last, 3) => {
            let alone = !before.starts_with(|c: char| c.is_ascii_digit());
            alone.then(|| format!("{first}{last}"))
        }
        _ => None,
    })
}

fn is_digits(word: &str, count: usize) -> bool {
    word.len() == count && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `/dev/mailbox` and `/dev/mailbox.json`, for the router of `dev` and no other.
pub fn router(mailbox: Arc<Mailbox>) -> Router {
    Router::new()
        .route("/dev/mailbox", get(show))
        .route("/dev/mailbox.json", get(list))
        .route("/dev/mailbox.css", get(page::stylesheet))
        .with_state(mailbox)
}

#[derive(Template)]
#[template(path = "dev/mailbox.html")]
struct MailboxPage<'a> {
    entries: &'a [ReceivedMail],
}

async fn show(State(mailbox): State<Arc<Mailbox>>) -> Response {
    page::html(&MailboxPage { entries: &mailbox.mails() }, "'none'")
}

async fn list(State(mailbox): State<Arc<Mailbox>>) -> Response {
    (SECURITY_HEADERS, Json(mailbox.mails())).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use lettre::message::{Mailbox as Person, MultiPart};
    use tower::ServiceExt;

    use super::*;

    const TEXT: &str = "123 456 is your sign-in code.\n\nIt works until 9:56 am. Help: 0800 111 222.\n\n@localhost #123456\n";

    fn mail(subject: &str, text: &str, html: &str) -> (Envelope, Vec<u8>) {
        let to: Person = "Mere <mere@patient.example>".parse().unwrap();
        let message = lettre::Message::builder()
            .from("Portal <codes@login.example.org>".parse().unwrap())
            .to(to)
            .subject(subject)
            .multipart(MultiPart::alternative_plain_html(text.to_owned(), html.to_owned()))
            .unwrap();
        (message.envelope().clone(), message.formatted())
    }

    fn filled(count: usize) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::new(Clock::system()));
        for nth in 0..count {
            let (envelope, bytes) =
                mail(&format!("Your code (ref KŌWHAI-{nth})"), TEXT, "<p>123 456</p>");
            mailbox.receive(&envelope, &bytes);
        }
        mailbox
    }

    async fn get(mailbox: Arc<Mailbox>, path: &str) -> (axum::http::HeaderMap, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router(mailbox).oneshot(request).await.unwrap();
        let headers = response.headers().clone();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn mail_is_parsed_from_bytes() {
        let entry = filled(1).mails().remove(0);
        assert_eq!(
            (entry.to.as_str(), entry.code.as_deref()),
            ("mere@patient.example", Some("123456"))
        );
        assert_eq!(entry.subject, "Your code (ref KŌWHAI-0)");
        assert_eq!(entry.text.replace("\r\n", "\n"), TEXT);
        assert_eq!(entry.html, "<p>123 456</p>");
        assert_eq!(entry.shown_code().as_deref(), Some("123 456"));
    }

    #[test]
    fn missing_mail_part_is_empty() {
        let envelope = mail("s", "t", "h").0;
        let entry = ReceivedMail::parse(
            &envelope,
            b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>hi</p>",
            String::new(),
        );
        assert_eq!((entry.text.as_str(), entry.html.as_str()), ("", "<p>hi</p>"));
        assert_eq!(ReceivedMail::parse(&envelope, b"", String::new()).code, None);
    }

    #[test]
    fn code_is_found_in_text() {
        assert_eq!(find_code("Call 0800 111 222\n@h #654321\n").as_deref(), Some("654321"));
        assert_eq!(find_code("Your code: 123456. Thanks").as_deref(), Some("123456"));
        assert_eq!(find_code("123 456 is your code").as_deref(), Some("123456"));
        assert_eq!(find_code("Questions? 0800 111 222, any time"), None);
        assert_eq!(find_code("On 24 November 2026 your password was changed."), None);
    }

    #[test]
    fn newest_come_first_oldest_evicted() {
        let entries = filled(MAX_MAILS + 3).mails();
        assert_eq!(entries.len(), MAX_MAILS);
        assert!(
            entries[0].subject.ends_with("-202)")
                && entries[MAX_MAILS - 1].subject.ends_with("-3)")
        );
    }

    #[tokio::test]
    async fn json_has_documented_members() {
        let (headers, body) = get(filled(2), "/dev/mailbox.json").await;
        assert_eq!(headers["cache-control"], "no-store");
        let list: Vec<serde_json::Map<String, serde_json::Value>> =
            serde_json::from_str(&body).unwrap();
        let mut names: Vec<_> = list[0].keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["at", "code", "html", "subject", "text", "to"]);
        assert!(list[0]["subject"].as_str().unwrap().ends_with("-1)"));
    }

    #[tokio::test]
    async fn page_shows_code_without_scripts() {
        let mailbox = filled(1);
        let (envelope, bytes) =
            mail("<b>bold</b>", "<script>alert(1)</script>", "<script>alert(2)</script>");
        mailbox.receive(&envelope, &bytes);
        let (headers, body) = get(mailbox, "/dev/mailbox").await;
        assert!(body.contains("123 456") && body.contains("mere@patient.example"));
        assert!(!body.contains("<script") && !body.contains("<b>bold"));
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(body.contains("<a href=\"/dev/mailbox\">Look again</a>"));
        assert!(get(filled(0), "/dev/mailbox").await.1.contains("No mail yet"));
    }
}
