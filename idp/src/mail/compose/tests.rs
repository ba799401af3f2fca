use std::sync::Arc;

use mail_parser::{HeaderName, MessageParser};

use flows::notify::Notice;

use super::*;
use crate::clock::Clock;
use crate::dev::mailbox;
use crate::mail::smtp::Mailer;
use crate::mail::specimens::{ADDRESS, Home, NAME, code, notice};

const TEXT: &str = "\
123 456 is your sign-in code

Reference: KOWHAI-27. The sign-in page shows the same one.

It works until 9:56 am. Enter it in the browser where you started.

It was asked for at 9:41 am.

We will never ask you for this code, and our staff never need it.

If you did not try to sign in, somebody may know your password. Give this code to nobody, and ask for help, so that you are asked for a new password.

If you need help: 0800 111 222

@login.example.org #123456";

const HEADERS: &str = "\
Date: Mon, 23 Nov 2026 20:41:07 +0000\r
Message-ID: <0193a5b0111170008000000000000001.2@login.example.org>\r
From: \"Example Portal\" <codes@login.example.org>\r
To: Mere <Kahui@patient.example>\r
Subject: Your Example Portal sign-in code (ref KOWHAI-27, 9:41 am)\r
Content-Language: en\r
Auto-Submitted: auto-generated\r
X-Auto-Response-Suppress: All\r
Feedback-ID: code:en:login.example.org:example-portal\r
X-Entity-Ref-ID: 0193a5b0111170008000000000000001.2\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative;\r
 boundary=\"=_0193a5b0111170008000000000000001.2\"\r
\r
";

/// What a reader of the mail gets.
struct Read {
    subject: String,
    to: (Option<String>, String),
    text: String,
    html: String,
    raw: String,
}

fn read(mail: &Composed) -> Read {
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    let to = message.to().unwrap().first().unwrap();
    Read {
        subject: message.subject().unwrap().to_owned(),
        to: (to.name().map(str::to_owned), to.address().unwrap().to_owned()),
        text: message.parts[1].text_contents().unwrap().replace("\r\n", "\n"),
        html: message.parts[2].text_contents().unwrap().to_owned(),
        raw: String::from_utf8(mail.bytes.clone()).unwrap(),
    }
}

fn composed(name: &str) -> Read {
    read(&Home::new().compose(&code(name, ADDRESS).0).unwrap())
}

/// The digits of the specimen replaced by those of the examples.
fn masked(text: &str) -> String {
    let digits = code(NAME, ADDRESS).1;
    let (first, last) = digits.split_at(3);
    text.replace(&digits, "123456").replace(&format!("{first} {last}"), "123 456")
}

#[test]
fn the_mail_with_a_code() {
    let mail = composed("Mere");
    assert_eq!(masked(&mail.text), TEXT);
    let head = mail.raw.split_once("--=_").unwrap().0;
    assert_eq!(head, HEADERS);
    assert_eq!(mail.subject, "Your Example Portal sign-in code (ref KOWHAI-27, 9:41 am)");
    let html = masked(&mail.html);
    assert!(html.contains("mso-hide:all\">123 456 is your sign-in code</div>"), "{html}");
    assert!(html.contains(">123 456</strong> is your sign-in code</p>"), "{html}");
    assert!(html.contains("color-scheme:light dark") && !html.contains("<style"));
    assert!(mail.html.len() < 4096, "{}", mail.html.len());
    assert!(mail.raw.lines().all(|line| line.len() <= 78), "{}", mail.raw);
}

/// The same facts in te reo Māori, checked like any other mail, and with what it was asked.
#[test]
fn the_mail_with_a_code_in_te_reo() {
    let (Letter::Code(mut letter), _) = code("Mere", ADDRESS) else { unreachable!() };
    letter.challenge.language = Some("mi".to_owned());
    letter.challenge.asked_with = Some("Firefox/Windows".to_owned());
    let mail = read(&Home::new().compose(&Letter::Code(letter)).unwrap());
    let text = masked(&mail.text);
    assert!(text.starts_with("Ko 123 456 tō waehere takiuru\n\nTohutoro: KOWHAI-27."), "{text}");
    assert!(text.contains("\n\nKa mahi tae noa ki te 9:56 i te ata."), "{text}");
    assert!(
        text.contains("I tonoa i te 9:41 i te ata, mā Firefox i runga i te Windows."),
        "{text}"
    );
    assert!(text.ends_with("@login.example.org #123456"), "{text}");
    assert_eq!(
        mail.subject,
        "Tō waehere takiuru mō Example Portal (tohutoro KOWHAI-27, 9:41 i te ata)"
    );
    assert!(mail.raw.contains("Content-Language: mi\r\n"), "{}", mail.raw);
    assert!(mail.raw.contains("Feedback-ID: code:mi:login.example.org:example-portal\r\n"));
    assert!(mail.html.contains("<html lang=\"mi\">"), "{}", mail.html);
    assert!(masked(&mail.html).contains("Ko <strong"), "{}", mail.html);
}

#[test]
fn the_notices_in_te_reo() {
    let told = Notice { language: Some("mi".to_owned()), ..notice() };
    for letter in [Letter::PasswordChanged(told.clone()), Letter::ResetForced(told)] {
        let mail = read(&Home::new().compose(&letter).unwrap());
        assert!(
            mail.subject.contains("(24 Whiringa-ā-rangi 2026, 9:41 i te ata)"),
            "{}",
            mail.subject
        );
        assert!(
            mail.text.contains("i te 24 Whiringa-ā-rangi 2026 i te 9:41 i te ata"),
            "{}",
            mail.text
        );
        assert!(
            mail.text.ends_with("Mēnā kei te hiahia āwhina koe: 0800 111 222"),
            "{}",
            mail.text
        );
    }
}

/// What a row says that this build did not write is no reason to send nothing.
#[test]
fn a_language_that_is_not_spoken_is_answered_in_english() {
    let (Letter::Code(mut letter), _) = code("Mere", ADDRESS) else { unreachable!() };
    letter.challenge.language = Some("fr".to_owned());
    let mail = read(&Home::new().compose(&Letter::Code(letter)).unwrap());
    assert_eq!(masked(&mail.text), TEXT);
}

#[test]
fn the_notices() {
    let home = Home::new();
    let changed = read(&home.compose(&Letter::PasswordChanged(notice())).unwrap());
    assert_eq!(
        changed.subject,
        "Your Example Portal password was changed (24 November 2026, 9:41 am)"
    );
    assert!(changed.text.starts_with("Your password was changed\n\nIt was changed on 24 Nov"));
    assert!(changed.raw.contains("Feedback-ID: notice:en:login.example.org:example-portal\r\n"));
    let reset = read(&home.compose(&Letter::ResetForced(notice())).unwrap());
    assert!(
        reset.text.starts_with("You will be asked for a new password at your next sign-in\n\n")
    );
    assert!(reset.text.contains("Your old sign-ins have been ended"), "{}", reset.text);
    for mail in [changed, reset] {
        assert!(mail.text.ends_with("If you need help: 0800 111 222"), "{}", mail.text);
        assert!(!format!("{}{}", mail.text, mail.html).contains("http"));
    }
}

#[test]
fn a_name_is_one_name_in_one_line() {
    let long = "Ngāta ".repeat(34);
    let kept: String = long.chars().take(NAME_MAX).collect();
    let cases = [
        (NAME, Some(NAME)),
        ("Mere\r\nBcc: all@patient.example", Some("Mere Bcc: all@patient.example")),
        ("Mere\r\n\r\n<p>no code</p>\n", Some("Mere <p>no code</p>")),
        ("מירי \u{202E}כהן\u{2066}", Some("מירי כהן")),
        ("Mere 🌿 \"M\" <x@y.example>", Some("Mere 🌿 \"M\" <x@y.example>")),
        ("a, b; c: d (e) \\ f", Some("a, b; c: d (e) \\ f")),
        (&long, Some(kept.trim())),
        (" \u{200F}\0 ", None),
        ("", None),
    ];
    for (name, shown) in cases {
        let mail = composed(name);
        assert_eq!(mail.to, (shown.map(str::to_owned), ADDRESS.to_owned()), "{name:?}");
        assert_eq!(masked(&mail.text), TEXT, "{name:?}");
    }
}

#[test]
fn every_try_has_its_own_id_and_the_same_code() {
    let home = Home::new();
    let (letter, _) = code(NAME, ADDRESS);
    let first = home.compose(&letter).unwrap();
    let later = crate::mail::specimens::attempt();
    let again = home.context().compose(&letter, Attempt { tries: 3, ..later }).unwrap();
    assert_ne!(first.message_id, again.message_id);
    assert_eq!(read(&first).text, read(&again).text);
    assert_eq!(home.compose(&letter).unwrap().bytes, first.bytes);
}

#[test]
fn mail_goes_to_the_stored_spelling() {
    let cases = [
        ("Mere.O'Neill+x@Patient.Example", Some("Mere.O'Neill+x@Patient.Example")),
        ("mere@patient.example.", Some("mere@patient.example")),
        ("mere@māori.nz", Some("mere@xn--mori-qsa.nz")),
        ("kāhui@patient.example", Some("kāhui@patient.example")),
        ("mere@localhost", Some("mere@localhost")),
        ("mere", None),
        ("me re@patient.example", None),
        ("mere@patient.example>\r\nBcc: <x@y.example", None),
    ];
    for (stored, to) in cases {
        match (Home::new().compose(&code(NAME, stored).0), to) {
            (Ok(mail), Some(to)) => {
                assert_eq!(read(&mail).to.1, to);
                assert_eq!(mail.envelope.to().len(), 1);
                assert_eq!(mail.envelope.to()[0].to_string(), to);
            }
            (Err(ComposeError::Address), None) => {}
            (other, _) => panic!("{stored}: {other:?}"),
        }
    }
}

#[test]
fn a_brand_may_be_called_anything() {
    for brand in ["Hauora & Co's <Portal> \"1\"", "Te Whatu Ora – Kāinga ⚕", "x", "{$code}s; a; b"]
    {
        let mut home = Home::new();
        home.brand.name = brand.to_owned();
        match home.compose(&code(NAME, ADDRESS).0) {
            Ok(mail) => assert!(read(&mail).subject.contains(&format!("Your {brand} sign-in"))),
            // It looks like a text that nothing was put into.
            Err(_) => assert!(brand.contains("{$"), "{brand}"),
        }
    }
}

#[test]
fn help_that_is_a_link_is_left_out() {
    let mut home = Home::new();
    home.brand.support = Some("https://help.example.org".to_owned());
    let mail = read(&home.compose(&code(NAME, ADDRESS).0).unwrap());
    assert!(!mail.text.contains("need help"), "{}", mail.text);
    home.brand.support = None;
    assert_eq!(read(&home.compose(&code(NAME, ADDRESS).0).unwrap()).text, mail.text);
}

#[test]
fn nothing_makes_a_mail_look_like_bulk_or_a_reply() {
    let mail = Home::new().compose(&code(NAME, ADDRESS).0).unwrap();
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    for name in ["List-Unsubscribe", "Precedence", "In-Reply-To", "References", "Bcc", "Cc"] {
        assert!(message.header(HeaderName::parse(name).unwrap()).is_none(), "{name}");
    }
}

#[tokio::test]
async fn the_mailbox_of_dev_reads_the_same_code() {
    let mailbox = Arc::new(mailbox::Mailbox::new(Clock::system()));
    let mailer = Mailer::mailbox(Arc::clone(&mailbox));
    let mut home = Home::new();
    home.sender = mailer.sender().clone();
    home.issuer = crate::config::Issuer::parse("http://localhost:8080").unwrap();
    let (letter, digits) = code(NAME, ADDRESS);
    let mail = home.compose(&letter).unwrap();
    mailer.send(&mail.envelope, &mail.bytes).await.unwrap();
    let entry = mailbox.entries().remove(0);
    assert_eq!((entry.to.as_str(), entry.code), (ADDRESS, Some(digits.clone())));
    assert!(entry.text.ends_with(&format!("\n@localhost #{digits}")), "{}", entry.text);
}
