use super::*;
use crate::mail::fixtures::{ADDRESS, MailFixture, NAME, code, mail_contents};

/// A good mail, its text and its code.
fn good() -> (ComposedMail, MailText, String) {
    let fixture = MailFixture::new();
    let (letter, digits) = code(NAME, ADDRESS);
    let text = MailText::of(&fixture.context(), &letter);
    (fixture.compose(&letter).unwrap(), text, digits)
}

/// The error of the check when each `from` in the bytes is replaced by `to`.
fn changed(from: &str, to: &str) -> String {
    let (mail, wanted, _) = good();
    let raw = String::from_utf8(mail.bytes.clone()).unwrap();
    assert!(raw.contains(from), "{from:?} is not in {raw}");
    let bytes = raw.replace(from, to).into_bytes();
    why(check(&ComposedMail { bytes, ..mail }, &wanted, None))
}

fn why(checked: CheckOutcome) -> String {
    checked.unwrap_err().to_string()
}

#[test]
fn valid_mails_pass() {
    let (mail, wanted, _) = good();
    assert_eq!(check(&mail, &wanted, None), Ok(()));
    let fixture = MailFixture::new();
    for (name, letter) in mail_contents() {
        assert!(fixture.compose(&letter).is_ok(), "{name}");
    }
}

#[test]
fn blank_or_missing_parts_are_refused() {
    let (mail, wanted, _) = good();
    let raw = String::from_utf8(mail.bytes.clone()).unwrap();
    let with = |text: &str| {
        let bytes = text.as_bytes().to_vec();
        why(check(&ComposedMail { bytes, ..mail.clone() }, &wanted, None))
    };
    let parts: Vec<&str> = raw.split("--=_0193a5b0111170008000000000000001.2").collect();
    let [head, text, html, end] = parts.as_slice() else { panic!("{raw}") };
    let joined = |parts: &[&str]| parts.join("--=_0193a5b0111170008000000000000001.2");
    let blank = |part: &str| format!("{}\r\n\r\n", part.split_once("\r\n\r\n").unwrap().0);
    assert_eq!(joined(&[head, text, html, end]), raw);
    assert_eq!(with(""), "is not a message");
    assert_eq!(with(&joined(&[head, text, end])), "does not have exactly two parts");
    assert_eq!(with(&joined(&[head, text, html, html, end])), "does not have exactly two parts");
    let order = "is not a plain part and then an HTML part";
    assert_eq!(with(&joined(&[head, html, text, end])), order);
    assert_eq!(with(&joined(&[head, text, text, end])), order);
    assert_eq!(with(&joined(&[head, &blank(text), html, end])), "the text part is blank");
    let empty = format!("{}<html><body></body></html>\r\n", blank(html));
    assert_eq!(with(&joined(&[head, text, &empty, end])), "the HTML part has no preheader");
    let hidden = format!("{}<div style=3D\"display:none\">x</div><p> </p>\r\n", blank(html));
    assert_eq!(with(&joined(&[head, text, &hidden, end])), "the HTML part is blank");
}

#[test]
fn missing_fact_or_sentence_is_refused() {
    let (_, _, digits) = good();
    let (first, last) = digits.split_at(3);
    let lacks = "the text part lacks a fact";
    assert_eq!(changed(&format!("{first} {last}"), "000 000"), lacks);
    assert_eq!(changed("9:56 am", "9:57 am"), lacks);
    assert_eq!(changed("It works", "It may work"), "the text part lacks a sentence");
    assert_eq!(
        changed(&format!(">{first} {last}</strong>"), "></strong>"),
        "the HTML part lacks a fact"
    );
    assert_eq!(
        changed(&format!("#{digits}"), "#000000"),
        "the text part does not end with the bound code"
    );
}

#[test]
fn differing_html_part_is_refused() {
    let (mail, wanted, _) = good();
    let raw = String::from_utf8(mail.bytes.clone()).unwrap();
    let (before, html) = raw.rsplit_once("text/html").unwrap();
    for (from, to, said) in [
        ("9:56 am", "9:57 am", "the HTML part lacks a fact"),
        ("KOWHAI-27", "KOWHAI-28", "the HTML part lacks a fact"),
        ("It works", "It worked", "the HTML part lacks a sentence"),
    ] {
        let bytes = format!("{before}text/html{}", html.replace(from, to)).into_bytes();
        assert_eq!(
            why(check(&ComposedMail { bytes, ..mail.clone() }, &wanted, None)),
            said,
            "{from}"
        );
    }
}

#[test]
fn links_and_remote_content_are_refused() {
    for (to, found) in [
        ("<a href=3D\"x\">", "href"),
        ("see https://x.example", "http"),
        ("<img alt=3D\"\">", "<img"),
        ("<p style=3D\"background:url(x)\">", "url("),
        ("{$until}", "{$"),
    ] {
        let said = changed("</body>", &format!("{to}</body>"));
        assert_eq!(said, format!("the HTML part contains `{found}`"));
    }
    assert_eq!(changed("Kind regards", "https Kind regards"), "the text part contains `http`");
}

#[test]
fn unexpected_headers_are_refused() {
    let others = "does not have exactly the expected headers";
    for header in
        ["List-Unsubscribe: <x>", "Precedence: bulk", "Bcc: x@y.example", "References: <a@b>"]
    {
        assert_eq!(changed("Auto-Submitted", &format!("{header}\r\nAuto-Submitted")), others);
    }
    for header in HEADERS.iter().filter(|name| **name != "content-type") {
        let raw = String::from_utf8(good().0.bytes).unwrap();
        let line = raw.lines().find(|l| l.to_ascii_lowercase().starts_with(&format!("{header}:")));
        assert_eq!(changed(&format!("{}\r\n", line.unwrap()), ""), others, "{header}");
    }
}

#[test]
fn foreign_recipient_or_sender_is_refused() {
    assert_eq!(changed("<Kahui@patient", "<hemi@patient"), "To is not the recipient");
    let two = "<Kahui@patient.example>, hemi@patient.example";
    assert_eq!(changed("<Kahui@patient.example>", two), "To is not the recipient");
    assert_eq!(changed("<codes@login", "<codes@other"), "From is not the sender");
    assert_eq!(changed(".2@login.example.org", ".2@other.example"), "Message-ID is not ours");
    assert_eq!(changed("Date: Mon, 23 Nov", "Date: Mon, 99 Foo"), "Date cannot be read");
}

#[test]
fn code_in_subject_is_refused() {
    let line = "Subject: Your Example Portal sign-in code (ref KOWHAI-27, 9:41 am NZDT)";
    assert_eq!(changed(line, "Subject: "), "the subject is empty");
    let (mail, wanted, digits) = good();
    let raw = String::from_utf8(mail.bytes.clone()).unwrap();
    for code in [digits.clone(), wanted.code.clone().unwrap()] {
        let subject = format!("{code} is your code");
        let bytes = raw.replace(line, &format!("Subject: {subject}")).into_bytes();
        let wanted = MailText { subject, ..wanted.clone() };
        assert_eq!(
            why(check(&ComposedMail { bytes, ..mail.clone() }, &wanted, None)),
            "the code is in the subject"
        );
    }
}

#[test]
fn sizes_and_line_ends_are_checked() {
    let line = "x".repeat(LINE_MAX + 1);
    assert_eq!(changed("</body>", &format!("</body>\r\n{line}")), "a line is too long");
    assert_eq!(changed("</body>\r\n", "</body>\n"), "a line feed has no carriage return");
    assert_eq!(changed("</body>\r\n", "</body>\r"), "a carriage return has no line feed");
    let much = "<p>much</p>\r\n".repeat(HTML_MAX / 10);
    assert_eq!(changed("</body>", &format!("{much}</body>")), "the HTML part is too large");
    let more = "<p>much</p>\r\n".repeat(MESSAGE_MAX / 10);
    assert_eq!(changed("</body>", &format!("{more}</body>")), "the message is too large");
}

#[test]
fn empty_fact_or_title_is_refused() {
    let (mail, wanted, _) = good();
    let empty = MailText { facts: vec![String::new()], ..wanted.clone() };
    assert_eq!(why(check(&mail, &empty, None)), "the text part lacks a fact");
    let empty = MailText { title: String::new(), ..wanted };
    assert_eq!(why(check(&mail, &empty, None)), "the text part lacks a sentence");
}
