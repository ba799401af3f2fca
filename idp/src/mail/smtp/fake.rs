//! A small SMTP server for tests, which follows one script per connection.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lettre::address::Envelope;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::config::{SmtpConfig, SmtpTls};

/// How the server behaves.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) greeting: Option<&'static str>,
    pub(crate) capabilities: &'static [&'static str],
    pub(crate) auth: Option<&'static str>,
    pub(crate) rcpt: Option<&'static str>,
    pub(crate) end: Option<&'static str>,
    pub(crate) silent_after: Option<&'static str>,
    pub(crate) hang_up_after_message: bool,
    /// What STARTTLS is answered with.
    pub(crate) starttls: Option<&'static str>,
    /// TLS begins after STARTTLS.
    pub(crate) tls: Option<TlsAcceptor>,
}

/// What the server received, and a switch.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    /// How often bytes arrived while a message was read.
    pub(crate) message_reads: Arc<AtomicUsize>,
    /// When set, messages are accepted, whatever the script's `end` is.
    pub(crate) mended: Arc<AtomicBool>,
}

impl Seen {
    pub(crate) fn count(&self, start: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.starts_with(start)).count()
    }
}

pub(crate) async fn serve(script: Script) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Seen::default();
    let shared = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(talk(stream, script.clone(), shared.clone()));
        }
    });
    (port, seen)
}

async fn talk(stream: TcpStream, script: Script, seen: Seen) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, script.greeting.unwrap_or("220 ready")).await?;
    if !converse(&mut stream, &script, &seen).await? {
        return Ok(());
    }
    let Some(acceptor) = script.tls.clone() else { return Ok(()) };
    let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
    converse(&mut stream, &script, &seen).await.map(drop)
}

/// Answers commands; true when TLS is to begin.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &Script,
    seen: &Seen,
) -> std::io::Result<bool> {
    let mut in_message = false;
    let mut line = String::new();
    while {
        line.clear();
        if in_message && stream.buffer().is_empty() {
            seen.message_reads.fetch_add(1, Ordering::SeqCst);
        }
        stream.read_line(&mut line).await?
    } > 0
    {
        let text = line.trim_end().to_owned();
        seen.lines.lock().unwrap().push(text.clone());
        let answer = if in_message {
            if text != "." {
                continue;
            }
            in_message = false;
            let end = script.end.filter(|_| !seen.mended.load(Ordering::SeqCst));
            end.unwrap_or("250 2.0.0 Ok: queued as Q1").to_owned()
        } else {
            in_message = text == "DATA";
            reply(&text, script)
        };
        if script.silent_after.is_some_and(|after| text.starts_with(after)) {
            std::future::pending::<()>().await;
        }
        say(stream, &answer).await?;
        if text == "STARTTLS" && script.tls.is_some() {
            return Ok(true);
        }
        if text == "." && script.hang_up_after_message {
            break;
        }
    }
    Ok(false)
}

fn reply(line: &str, script: &Script) -> String {
    let verb = line.split(' ').next().unwrap_or_default();
    match verb {
        "EHLO" => {
            let more = script.capabilities.iter().map(|name| format!("250-{name}"));
            more.chain(["250 8BITMIME".to_owned()]).collect::<Vec<_>>().join("\r\n")
        }
        "STARTTLS" => script.starttls.unwrap_or("220 go ahead").to_owned(),
        "AUTH" => script.auth.unwrap_or("235 2.7.0 in").to_owned(),
        "RCPT" => script.rcpt.unwrap_or("250 ok").to_owned(),
        "DATA" => "354 go on".to_owned(),
        "QUIT" => "221 bye".to_owned(),
        _ => "250 ok".to_owned(),
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) -> std::io::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.flush().await
}

pub(crate) fn config(port: u16) -> SmtpConfig {
    SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port,
        tls: SmtpTls::None,
        credentials: None,
        from_address: "codes@login.example.org".parse().unwrap(),
        from_name: "Example".to_owned(),
        timeout: Duration::from_secs(5),
        connections: 8,
    }
}

pub(crate) fn envelope() -> Envelope {
    let from = "codes@login.example.org".parse().unwrap();
    Envelope::new(Some(from), vec!["mere@patient.example".parse().unwrap()]).unwrap()
}
