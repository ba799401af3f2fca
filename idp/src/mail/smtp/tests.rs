//! The mailer against a small SMTP server.

use std::sync::atomic::Ordering;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::fake::{Script, Seen, config, envelope, serve};
use super::*;
use crate::clock::Clock;
use crate::config::{Secret, SmtpCredentials};

const MESSAGE: &[u8] = b"Subject: a code\r\n\r\n123 456\r\n.a line with a dot\r\n";

async fn refusal(script: Script) -> SendError {
    let (port, _) = serve(script).await;
    Mailer::smtp(&config(port)).unwrap().send(&envelope(), MESSAGE).await.unwrap_err()
}

#[tokio::test]
async fn message_is_accepted_byte_for_byte() {
    let (port, seen) = serve(Script::default()).await;
    let mailer = Mailer::smtp(&config(port)).unwrap();
    let accepted = mailer.send(&envelope(), MESSAGE).await.unwrap();
    assert_eq!(accepted.reply, "2.0.0 Ok: queued as Q1");
    assert_eq!(seen.count("EHLO login.example.org"), 1);
    assert_eq!(seen.count("RCPT TO:<mere@patient.example>"), 1);
    assert_eq!(seen.count("..a line with a dot"), 1);
}

#[tokio::test]
async fn one_connection_carries_many_messages() {
    let (port, seen) = serve(Script::default()).await;
    let mailer = Mailer::smtp(&config(port)).unwrap();
    mailer.probe().await.unwrap();
    for _ in 0..5 {
        mailer.clone().send(&envelope(), MESSAGE).await.unwrap();
    }
    assert_eq!((seen.connections.load(Ordering::SeqCst), seen.count("DATA")), (1, 5));
}

#[tokio::test]
async fn closed_connection_is_replaced() {
    let (port, seen) = serve(Script { hang_up_after_message: true, ..Script::default() }).await;
    let mailer = Mailer::smtp(&config(port)).unwrap();
    for _ in 0..3 {
        mailer.send(&envelope(), MESSAGE).await.unwrap();
    }
    assert_eq!(seen.connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn replies_are_permanent_or_transient() {
    let cases = [
        ("550 5.1.1 <mere@patient.example>: no such user", true),
        ("552 5.2.2 mailbox full", true),
        ("550 no such user", true),
        ("550 5.1.8 sender rejected", false),
        ("550 5.4.5 daily limit exceeded", false),
        ("553 5.7.1 sender not owned", false),
        ("554 5.7.1 not wanted", false),
        ("554 transaction failed", false),
        ("451 4.3.0 try again", false),
        ("421 too many connections", false),
        ("530 5.7.0 must issue STARTTLS first", false),
        ("503 5.5.1 bad sequence", false),
    ];
    for (answer, permanent) in cases {
        let at_rcpt = refusal(Script { rcpt: Some(answer), ..Script::default() }).await;
        let at_end = refusal(Script { end: Some(answer), ..Script::default() }).await;
        for error in [at_rcpt, at_end] {
            assert_eq!(error.permanent, permanent, "{answer}: {error}");
            assert!(error.text.contains(&answer[..3]) && !error.text.contains('@'), "{error}");
        }
    }
}

#[tokio::test]
async fn session_errors_are_transient() {
    let greeting = refusal(Script { greeting: Some("554 no service"), ..Script::default() }).await;
    assert!(!greeting.permanent, "{greeting}");

    let script = Script {
        capabilities: &["AUTH PLAIN LOGIN"],
        auth: Some("535 5.7.8 wrong password"),
        ..Script::default()
    };
    let (port, seen) = serve(script).await;
    let password = Secret::new("smtp-canary".to_owned());
    let credentials = Some(SmtpCredentials { username: "idp".to_owned(), password });
    let mailer = Mailer::smtp(&SmtpConfig { credentials, ..config(port) }).unwrap();
    let error = mailer.send(&envelope(), MESSAGE).await.unwrap_err();
    assert!(!error.permanent && error.text.contains("535"), "{error}");
    assert_eq!(seen.count("MAIL"), 0);
    assert!(!format!("{mailer:?} {error:?}").contains("canary"));

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let nobody = Mailer::smtp(&config(closed)).unwrap();
    assert!(!nobody.probe().await.unwrap_err().permanent);
}

#[tokio::test]
async fn missing_starttls_sends_nothing() {
    let (port, seen) = serve(Script { capabilities: &["AUTH PLAIN"], ..Script::default() }).await;
    let password = Secret::new("smtp-canary".to_owned());
    let credentials = Some(SmtpCredentials { username: "idp".to_owned(), password });
    let strict = SmtpConfig { tls: SmtpTls::StartTls, credentials, ..config(port) };
    let error = Mailer::smtp(&strict).unwrap().send(&envelope(), MESSAGE).await.unwrap_err();
    assert!(!error.permanent && error.text.contains("STARTTLS"), "{error}");
    assert_eq!((seen.count("MAIL"), seen.count("AUTH")), (0, 0));
}

/// A server's side of TLS for 127.0.0.1, and the roots that trust it.
fn trusted_server() -> (TlsAcceptor, RootCertStore) {
    let names = vec!["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), roots)
}

/// Sends a message over STARTTLS.
async fn send_over_starttls(
    script: Script,
    roots: RootCertStore,
) -> (Result<SendReceipt, SendError>, Seen) {
    let script = Script { capabilities: &["STARTTLS"], ..script };
    let (port, seen) = serve(script).await;
    let config = SmtpConfig { tls: SmtpTls::StartTls, ..config(port) };
    let mailer = Mailer::with_roots(&config, || Ok(roots)).unwrap();
    (mailer.send(&envelope(), MESSAGE).await, seen)
}

#[tokio::test]
async fn mail_is_accepted_over_starttls() {
    let (acceptor, roots) = trusted_server();
    let script = Script { tls: Some(acceptor), ..Script::default() };
    let (sent, seen) = send_over_starttls(script.clone(), roots).await;
    assert_eq!(sent.unwrap().reply, "2.0.0 Ok: queued as Q1");
    // A server may offer more over TLS: its list from before is not kept (RFC 3207, section 4.2).
    assert_eq!((seen.count("EHLO"), seen.count("STARTTLS"), seen.count("DATA")), (2, 1, 1));

    let (_, stranger) = trusted_server();
    let (sent, seen) = send_over_starttls(script, stranger).await;
    let error = sent.unwrap_err();
    assert!(!error.permanent && error.text.contains("in SSL_CERT_FILE"), "{error}");
    assert_eq!(seen.count("MAIL"), 0);
}

/// Each of these is a frequent mistake in a configuration: the error says what to look at.
#[tokio::test]
async fn connection_errors_name_remedies() {
    let (port, _) = serve(Script::default()).await;
    let immediate = SmtpConfig { tls: SmtpTls::Tls, ..config(port) };
    let (_, roots) = trusted_server();
    let mailer = Mailer::with_roots(&immediate, || Ok(roots)).unwrap();
    let error = mailer.probe_sender().await.unwrap_err();
    assert!(!error.permanent && error.text.contains("`starttls` for 587"), "{error}");

    let password = Secret::new("smtp-canary".to_owned());
    let credentials = Some(SmtpCredentials { username: "idp".to_owned(), password });
    let mailer = Mailer::smtp(&SmtpConfig { credentials, ..config(port) }).unwrap();
    let error = mailer.probe_sender().await.unwrap_err();
    assert!(!error.permanent && error.text.contains("leave out smtp.username"), "{error}");
}

/// An attacker on the way appends a whole dialogue to the reply, and the server itself would refuse the mail.
#[tokio::test]
async fn replies_before_tls_are_refused() {
    let injected = "220 go ahead\r\n250-mail.example\r\n250 8BITMIME\r\n250 ok\r\n250 ok\r\n354 go on\r\n\
                    250 2.0.0 injected queued";
    let (acceptor, roots) = trusted_server();
    let refusing = Script {
        tls: Some(acceptor),
        rcpt: Some("554 5.7.1 not wanted"),
        end: Some("554 5.7.1 not wanted"),
        ..Script::default()
    };
    let early = Script { greeting: Some("220 ready\r\n250 STARTTLS"), ..refusing.clone() };
    let late = Script { starttls: Some(injected), ..refusing };
    for script in [early, late] {
        let (sent, seen) = send_over_starttls(script, roots.clone()).await;
        let error = sent.unwrap_err();
        assert!(!error.permanent && error.text.contains("more than one reply"), "{error}");
        assert_eq!((seen.count("MAIL"), seen.count("AUTH")), (0, 0));
    }
}

#[tokio::test]
async fn message_and_dot_arrive_together() {
    let (port, seen) = serve(Script::default()).await;
    let mailer = Mailer::smtp(&config(port)).unwrap();
    for _ in 0..10 {
        mailer.send(&envelope(), MESSAGE).await.unwrap();
    }
    assert_eq!(seen.message_reads.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn silent_server_times_out() {
    for point in ["EHLO", "RCPT", "DATA", "."] {
        let script = Script { silent_after: Some(point), ..Script::default() };
        let (port, seen) = serve(script).await;
        let limit = Duration::from_millis(200);
        let mailer = Mailer::smtp(&SmtpConfig { timeout: limit, ..config(port) }).unwrap();
        for _ in 0..2 {
            let error = mailer.send(&envelope(), MESSAGE).await.unwrap_err();
            assert!(!error.permanent && error.text.contains("no answer from 127.0.0.1"), "{error}");
        }
        assert_eq!(seen.connections.load(Ordering::SeqCst), 2, "{point}");
    }
}

#[tokio::test]
async fn dev_mailbox_receives_mail() {
    let mailbox = Arc::new(Mailbox::new(Clock::system()));
    let mailer = Mailer::mailbox(Arc::clone(&mailbox));
    mailer.probe().await.unwrap();
    mailer.send(&envelope(), MESSAGE).await.unwrap();
    assert_eq!(mailbox.mails()[0].to, "mere@patient.example");
}
