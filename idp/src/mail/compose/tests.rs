use std::sync::Arc;

use mail_parser::{HeaderName, MessageParser, MimeHeaders};

use super::*;
use crate::brand::{Brand, brand_config};
use crate::clock::Clock;
use crate::config::{BrandConfig, Colour, Issuer};
use crate::dev::mailbox;
use crate::locale::Locale;
use crate::mail::fixtures::{ADDRESS, MailFixture, NAME, code, mail_contents};
use crate::mail::smtp::Mailer;

/// A composed mail as a mail program parses it.
struct Read {
    subject: String,
    to: (Option<String>, String),
    text: String,
    html: String,
    raw: String,
}

fn read(mail: &ComposedMail) -> Read {
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

/// A fixture with another brand.
fn with_brand(change: impl FnOnce(&mut BrandConfig)) -> MailFixture {
    let mut config = brand_config();
    change(&mut config);
    MailFixture { brand: Brand::load(config), ..MailFixture::new() }
}

fn composed(name: &str) -> Read {
    read(&MailFixture::new().compose(&code(name, ADDRESS).0).unwrap())
}

/// Every mail of the catalogue in every wording and every language: its headers, its text and its HTML.
#[test]
fn every_mail_matches_snapshot() {
    let fixture = MailFixture::new();
    for (name, mut letter) in mail_contents() {
        for locale in Locale::ALL {
            letter.recipient.language = Some(locale.tag().to_owned());
            let mail = read(&fixture.compose(&letter).unwrap());
            let head = mail.raw.split_once("--=_").unwrap().0.replace("\r\n", "\n");
            let shown = [head.as_str(), &mail.text, "", &mail.html].join("\n");
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
                insta::assert_snapshot!(format!("{name}.{}", locale.tag()), shown);
            });
            assert!(mail.html.len() < 4096 && !mail.html.contains("<style"), "{name}");
            assert!(mail.raw.lines().all(|line| line.len() <= 78), "{}", mail.raw);
        }
    }
}

/// A language that this build does not know must not prevent the mail.
#[test]
fn unknown_language_is_answered_in_english() {
    let (mut letter, _) = code("Mere", ADDRESS);
    letter.recipient.language = Some("fr".to_owned());
    let mail = read(&MailFixture::new().compose(&letter).unwrap());
    assert_eq!(mail.text, composed("Mere").text);
    assert!(mail.raw.contains("Content-Language: en\r\n"), "{}", mail.raw);
}

#[test]
fn recipient_name_stays_one_line() {
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
    let text = composed("Mere").text;
    for (name, shown) in cases {
        let mail = composed(name);
        assert_eq!(mail.to, (shown.map(str::to_owned), ADDRESS.to_owned()), "{name:?}");
        assert_eq!(mail.text, text, "{name:?}");
    }
}

#[test]
fn retries_change_only_message_id() {
    let fixture = MailFixture::new();
    let (letter, _) = code(NAME, ADDRESS);
    let first = fixture.compose(&letter).unwrap();
    let later = crate::mail::fixtures::attempt();
    let again = fixture.context().compose(&letter, SendAttempt { tries: 3, ..later }).unwrap();
    assert_ne!(first.message_id, again.message_id);
    assert_eq!(read(&first).text, read(&again).text);
    assert_eq!(fixture.compose(&letter).unwrap().bytes, first.bytes);
}

#[test]
fn mail_goes_to_stored_spelling() {
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
        match (MailFixture::new().compose(&code(NAME, stored).0), to) {
            (Ok(mail), Some(to)) => {
                assert_eq!(read(&mail).to.1, to);
                assert_eq!(mail.envelope.to().len(), 1);
                assert_eq!(mail.envelope.to()[0].to_string(), to);
            }
            (Err(ComposeError::UnusableAddress), None) => {}
            (other, _) => panic!("{stored}: {other:?}"),
        }
    }
}

#[test]
fn unusual_brand_names_compose() {
    for brand in ["Hauora & Co's <Portal> \"1\"", "Te Whatu Ora – Kāinga ⚕", "x", "{$code}s; a; b"]
    {
        let fixture = with_brand(|config| config.name = brand.to_owned());
        match fixture.compose(&code(NAME, ADDRESS).0) {
            Ok(mail) => assert!(read(&mail).subject.contains(&format!("Your {brand} sign-in"))),
            // It looks like an unfilled placeholder.
            Err(_) => assert!(brand.contains("{$"), "{brand}"),
        }
    }
}

/// The logo is a part of the mail itself: no picture is loaded, and no link is followed, to read a code.
#[test]
fn png_logo_is_inline_part() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/browser/logo.png");
    let fixture = with_brand(|config| {
        config.logo = Some(file.into());
        config.colour = Some(Colour::parse("#005eb8").unwrap());
    });
    let mail = fixture.compose(&code(NAME, ADDRESS).0).unwrap();
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    let [_, _, related, html, picture] = message.parts.as_slice() else { panic!("{mail:?}") };
    assert_eq!(related.content_type().unwrap().subtype(), Some("related"));
    let html = html.text_contents().unwrap();
    assert!(html.contains("<img src=\"cid:logo@login.example.org\" alt=\"\""), "{html}");
    assert!(html.contains("border-top:6px solid #005eb8"), "{html}");
    assert_eq!(picture.contents(), std::fs::read(file).unwrap());
    let attached = message.attachments().count();
    assert!(attached <= 1, "the picture is inline: {attached}");
}

#[test]
fn support_link_is_left_out() {
    let link = Some("https://help.example.org".to_owned());
    let fixture = with_brand(|config| config.support = link);
    let mail = read(&fixture.compose(&code(NAME, ADDRESS).0).unwrap());
    assert!(!mail.text.contains("need help"), "{}", mail.text);
    let fixture = with_brand(|config| config.support = None);
    assert_eq!(read(&fixture.compose(&code(NAME, ADDRESS).0).unwrap()).text, mail.text);
}

#[test]
fn bulk_and_reply_headers_are_absent() {
    let mail = MailFixture::new().compose(&code(NAME, ADDRESS).0).unwrap();
    let message = MessageParser::default().parse(&mail.bytes).unwrap();
    for name in ["List-Unsubscribe", "Precedence", "In-Reply-To", "References", "Bcc", "Cc"] {
        assert!(message.header(HeaderName::parse(name).unwrap()).is_none(), "{name}");
    }
}

#[tokio::test]
async fn dev_mailbox_reads_same_code() {
    let mailbox = Arc::new(mailbox::Mailbox::new(Clock::system()));
    let mailer = Mailer::mailbox(Arc::clone(&mailbox));
    let mut fixture = MailFixture::new();
    fixture.sender = mailer.sender().clone();
    fixture.issuer = Issuer::parse("http://localhost:8080").unwrap();
    let (letter, digits) = code(NAME, ADDRESS);
    let mail = fixture.compose(&letter).unwrap();
    mailer.send(&mail.envelope, &mail.bytes).await.unwrap();
    let entry = mailbox.mails().remove(0);
    assert_eq!((entry.to.as_str(), entry.code), (ADDRESS, Some(digits.clone())));
    assert!(entry.text.ends_with(&format!("\n@localhost #{digits}")), "{}", entry.text);
}

/// What an entry accepts, mail can be addressed to: one reader of addresses is no stricter than the other.
#[test]
fn accepted_address_can_be_mailed() {
    for (typed, sent) in [
        ("mere@example.org", "mere@example.org"),
        ("kiri..tane@docomo.example.jp", "\"kiri..tane\"@docomo.example.jp"),
        ("kiri.tane.@docomo.example.jp", "\"kiri.tane.\"@docomo.example.jp"),
        (".kiri@docomo.example.jp", "\".kiri\"@docomo.example.jp"),
        ("a[1]@example.org", "\"a[1]\"@example.org"),
        ("o\u{2019}neill@example.org", "o\u{2019}neill@example.org"),
        ("kāhui@māori.nz", "kāhui@xn--mori-qsa.nz"),
    ] {
        let accepted = flows::email::EmailAddress::parse(typed).unwrap();
        let address = parse_address(accepted.as_written()).expect(typed);
        assert_eq!(address.to_string(), sent, "{typed}");
        let mail = MailFixture::new().compose(&code(NAME, accepted.as_written()).0).unwrap();
        assert!(!mail.bytes.is_empty());
    }
}
