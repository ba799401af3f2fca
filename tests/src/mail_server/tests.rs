use super::*;

const TO: &str = "ana@example.nz";

/// Sends the lines at once, as pipelining allows, and returns the replies up to the close.
async fn send(mailbox: &MailServer, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(mailbox.address()).await.unwrap();
    stream.write_all((lines.join("\r\n") + "\r\n").as_bytes()).await.unwrap();
    let mut replies = Vec::new();
    // A connection that was cut ends with or without an error; only the replies count.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut replies).await;
    String::from_utf8(replies).unwrap()
}

const MESSAGE: [&str; 12] = [
    "EHLO me",
    "MAIL FROM:<no-reply@id.example>",
    "RCPT TO:<ana@example.nz>",
    "DATA",
    "Subject: =?utf-8?q?K=C5=8Drero?=",
    "Content-Type: text/plain; charset=utf-8",
    "",
    "Until 10:15, 2026: your code is 123 456.",
    "..dots",
    ".",
    "NOOP",
    "QUIT",
];

#[tokio::test]
async fn message_is_received_and_parsed() {
    let mailbox = MailServer::start().await;
    let (replies, mails) = tokio::join!(send(&mailbox, &MESSAGE), mailbox.wait_for(TO, 1));
    assert!(replies.ends_with("354 go on\r\n250 accepted\r\n250 OK\r\n221 bye\r\n"), "{replies}");
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!((mail.from.as_str(), mail.subject.as_str()), ("no-reply@id.example", "Kōrero"));
    assert!(mail.text.ends_with("123 456.\r\n.dots\r\n"), "{:?}", mail.text);
    assert_eq!(mailbox.wait_for_code(TO, 1).await, "123456");
    assert_eq!(mailbox.connections(), 1);
}

#[tokio::test]
async fn faults_apply_in_order_then_clear() {
    let mailbox = MailServer::start().await;
    mailbox.inject_fault(MailFault::Refuse(451), 1);
    mailbox.inject_fault(MailFault::CloseInData, 1);
    mailbox.inject_fault(MailFault::DropAfterAccept, 1);
    mailbox.inject_fault(MailFault::Delay(Duration::from_millis(20)), 1);
    let refused = send(&mailbox, &MESSAGE).await;
    assert!(refused.contains("451 ") && refused.contains("503 "), "{refused}");
    mailbox.wait_for_refusals(1).await;
    assert!(send(&mailbox, &MESSAGE).await.ends_with("354 go on\r\n"));
    assert_eq!(mailbox.mails_to(TO).len(), 0);
    assert!(send(&mailbox, &MESSAGE).await.ends_with("354 go on\r\n"));
    assert_eq!(mailbox.mails_to(TO).len(), 1);
    assert!(send(&mailbox, &MESSAGE).await.contains("250 accepted"));
    assert!(send(&mailbox, &MESSAGE).await.contains("250 accepted"));
    assert_eq!((mailbox.all().len(), mailbox.refused_recipients()), (3, 1));
}

#[test]
fn only_six_digit_codes_are_found() {
    for text in ["123456", "Code: 123456.", "at 9:41, code 123 456", "x 1234567 y 123456"] {
        assert_eq!(first_code(text).as_deref(), Some("123456"), "{text}");
    }
    for text in ["", "1234567", "12 3456", "0800 123 456 789", "12345"] {
        assert_eq!(first_code(text), None, "{text}");
    }
}
