//! A mail server for tests: accepts every message over real SMTP (RFC 5321), keeps it, and fails on request.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use mail_parser::MessageParser;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::Notify,
    task::JoinHandle,
    time::timeout,
};

use crate::wait::LIMIT;

/// A message that was received.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Sender of the envelope.
    pub from: String,
    /// Recipients of the envelope.
    pub to: Vec<String>,
    /// Subject, decoded.
    pub subject: String,
    /// Text part, decoded.
    pub text: String,
    /// HTML part, decoded.
    pub html: String,
    /// The first group of six digits in the text, without the space that may be in its middle.
    pub code: Option<String>,
    /// The message as it was sent, without dot-stuffing.
    pub raw: String,
}

/// A fault for one message.
#[derive(Clone, Copy, Debug)]
pub enum MailFault {
    /// The recipient is refused with this reply: 4xx is transient, 5xx permanent.
    Refuse(u16),
    /// The sender is refused with this reply.
    RefuseSender(u16),
    /// The message is accepted, but the reply is sent only after this time.
    Delay(Duration),
    /// The message is accepted, but the reply is sent only after [`MailServer::release_held`].
    Hold,
    /// The message is accepted, but the connection closes before the reply.
    DropAfterAccept,
    /// The connection closes in the middle of the message, which is lost.
    CloseInData,
}

/// The mail server. It stops when the value is dropped.
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Mail>,
    faults: VecDeque<MailFault>,
    refused: usize,
    connections: usize,
    /// Number of held messages, and whether they were released.
    held: usize,
    released: bool,
    /// How long a recipient is greylisted, and since when each has been known.
    greylist: Option<(Duration, HashMap<String, Instant>)>,
}

impl State {
    /// Whether a recipient is greylisted now.
    fn is_greylisted(&mut self, to: &str) -> bool {
        let Some((wait, known)) = &mut self.greylist else { return false };
        known.entry(to.to_owned()).or_insert_with(Instant::now).elapsed() < *wait
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panicked")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_waiters();
    }

    async fn wait_until_released(&self) {
        loop {
            let changed = self.changed.notified();
            if self.state().released {
                return;
            }
            changed.await;
        }
    }

    /// Waits until `ready` returns a value; none when the limit of all waits is over.
    async fn wait<T>(&self, ready: impl Fn(&State) -> Option<T>) -> Option<T> {
        let found = timeout(LIMIT, async {
            loop {
                // Created before the check: a change between check and wait is not missed.
                let changed = self.changed.notified();
                let found = ready(&self.state());
                match found {
                    Some(found) => return found,
                    None => changed.await,
                }
            }
        });
        found.await.ok()
    }

    /// The same; panics with all received messages.
    async fn until<T>(&self, what: &str, ready: impl Fn(&State) -> Option<T>) -> T {
        let found = self.wait(ready).await;
        found.unwrap_or_else(|| panic!("{what} within {LIMIT:?}: {:#?}", self.state()))
    }
}

impl MailServer {
    /// Starts on a free loopback port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::<Shared>::default();
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { address, shared, server }
    }

    /// Its address, without TLS or passwords.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Injects a fault into the next `messages` messages, after those of earlier calls.
    pub fn inject_fault(&self, fault: MailFault, messages: usize) {
        self.shared.change(|state| state.faults.extend(std::iter::repeat_n(fault, messages)));
    }

    /// Greylists each recipient for this time, from its first mail on (RFC 6647).
    pub fn enable_greylisting(&self, wait: Duration) {
        self.shared.change(|state| state.greylist = Some((wait, HashMap::new())));
    }

    /// Waits until `count` messages are held at once.
    pub async fn wait_for_held(&self, count: usize) {
        let ready = |state: &State| (state.held >= count).then_some(());
        self.shared.until(&format!("{count} are not held"), ready).await;
    }

    /// Replies to the held messages and stops holding; returns how many were held.
    pub fn release_held(&self) -> usize {
        self.shared.change(|state| state.released = true);
        self.shared.state().held
    }

    /// All received messages, oldest first.
    pub fn all(&self) -> Vec<Mail> {
        self.shared.state().mails.clone()
    }

    /// The messages to `to`, oldest first.
    pub fn mails_to(&self, to: &str) -> Vec<Mail> {
        mails_to(&self.shared.state(), to)
    }

    /// The number of messages to `to`.
    pub fn count(&self, to: &str) -> usize {
        iter_mails_to(&self.shared.state(), to).count()
    }

    /// The newest message to `to` that contains `text`, ignoring the first `before`.
    pub fn find(&self, to: &str, text: &str, before: usize) -> Option<Mail> {
        mails_containing(&self.shared.state(), (to, text), before).last().cloned()
    }

    /// The codes of all such messages, oldest first.
    pub fn codes_with(&self, to: &str, text: &str, before: usize) -> Vec<String> {
        let state = self.shared.state();
        mails_containing(&state, (to, text), before).filter_map(|mail| mail.code.clone()).collect()
    }

    /// How many recipients were refused so far.
    pub fn refused_recipients(&self) -> usize {
        self.shared.state().refused
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Waits until `to` has received `count` messages since the start; returns all of them, oldest first.
    pub async fn wait_for(&self, to: &str, count: usize) -> Vec<Mail> {
        let what = format!("{to} does not have {count} messages");
        let ready = |state: &State| Some(mails_to(state, to)).filter(|mails| mails.len() >= count);
        self.shared.until(&what, ready).await
    }

    /// The codes mailed to `to`, oldest first.
    pub fn codes_to(&self, to: &str) -> Vec<String> {
        codes_to(&self.shared.state(), to)
    }

    /// Waits until `to` has received `count` codes since the start; returns the newest.
    pub async fn wait_for_code(&self, to: &str, count: usize) -> String {
        let what = format!("{to} does not have {count} codes");
        let ready = |state: &State| Some(codes_to(state, to)).filter(|codes| codes.len() >= count);
        self.shared.until(&what, ready).await.pop().expect("waited for one")
    }

    /// Waits for a mail to `to` that contains `text`, such as a reference, and a code, ignoring the first `before`; returns
    /// the code.
    pub async fn wait_for_code_in(&self, to: &str, text: &str, before: usize) -> String {
        let code = self.try_wait_for_code_in(to, text, before).await;
        code.unwrap_or_else(|| panic!("{to} has no code with {text}: {:#?}", self.mails_to(to)))
    }

    /// The same; none when it takes longer than the limit of all waits.
    pub async fn try_wait_for_code_in(
        &self,
        to: &str,
        text: &str,
        before: usize,
    ) -> Option<String> {
        self.shared
            .wait(|state| mails_containing(state, (to, text), before).last()?.code.clone())
            .await
    }

    /// Waits until `count` recipients were refused since the start.
    pub async fn wait_for_refusals(&self, count: usize) {
        let ready = |state: &State| (state.refused >= count).then_some(());
        self.shared.until(&format!("not {count} refusals"), ready).await;
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn iter_mails_to<'s>(state: &'s State, to: &str) -> impl Iterator<Item = &'s Mail> {
    state.mails.iter().filter(move |mail| mail.to.iter().any(|t| t == to))
}

fn mails_to(state: &State, to: &str) -> Vec<Mail> {
    iter_mails_to(state, to).cloned().collect()
}

fn mails_containing<'s>(
    state: &'s State,
    (to, text): (&'s str, &'s str),
    before: usize,
) -> impl Iterator<Item = &'s Mail> {
    iter_mails_to(state, to).skip(before).filter(move |mail| mail.text.contains(text))
}

fn codes_to(state: &State, to: &str) -> Vec<String> {
    mails_to(state, to).into_iter().filter_map(|mail| mail.code).collect()
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // A `JoinSet` aborts its tasks when the listener's task is aborted.
    let mut sessions = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        shared.change(|state| state.connections += 1);
        let shared = Arc::clone(&shared);
        sessions.spawn(async move {
            // The client may disconnect at any time; some tests are about broken sessions.
            let _ = SmtpSession::new(stream, shared).run().await;
        });
        while sessions.try_join_next().is_some() {}
    }
}

/// One connection.
struct SmtpSession {
    reader: BufReader<tokio::net::tcp::OwnedReadHalf>,
    writer: OwnedWriteHalf,
    shared: Arc<Shared>,
    from: String,
    to: Vec<String>,
    fault: Option<MailFault>,
}

enum SmtpReply {
    Reply(&'static str),
    Code(u16),
    Close,
}

impl SmtpSession {
    fn new(stream: TcpStream, shared: Arc<Shared>) -> Self {
        let (reader, writer) = stream.into_split();
        let reader = BufReader::new(reader);
        Self { reader, writer, shared, from: String::new(), to: Vec::new(), fault: None }
    }

    async fn run(mut self) -> io::Result<()> {
        self.say("220 localhost ESMTP").await?;
        while let Some(line) = self.line().await? {
            match self.command(&line).await? {
                SmtpReply::Reply(reply) => self.say(reply).await?,
                SmtpReply::Code(code) => self.say(&format!("{code} refused by the test")).await?,
                SmtpReply::Close => break,
            }
        }
        Ok(())
    }

    async fn command(&mut self, line: &str) -> io::Result<SmtpReply> {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        Ok(match verb.as_str() {
            "EHLO" => SmtpReply::Reply(
                "250-localhost\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250-8BITMIME\r\n250 SMTPUTF8",
            ),
            // Any credentials are accepted.
            "AUTH" => SmtpReply::Reply("235 welcome"),
            "HELO" | "NOOP" => SmtpReply::Reply("250 OK"),
            "MAIL" => {
                self.reset();
                self.from = address(line);
                self.shared.change(|state| self.fault = state.faults.pop_front());
                match self.fault {
                    Some(MailFault::RefuseSender(code)) => SmtpReply::Code(code),
                    _ => SmtpReply::Reply("250 OK"),
                }
            }
            "RCPT" => self.recipient(line),
            "DATA" if self.to.is_empty() => SmtpReply::Reply("503 no recipient"),
            "DATA" => self.data().await?,
            "RSET" => {
                self.reset();
                SmtpReply::Reply("250 OK")
            }
            "QUIT" => {
                self.say("221 bye").await?;
                SmtpReply::Close
            }
            _ => SmtpReply::Reply("502 not implemented"),
        })
    }

    fn reset(&mut self) {
        self.from.clear();
        self.to.clear();
        self.fault = None;
    }

    fn recipient(&mut self, line: &str) -> SmtpReply {
        if let Some(MailFault::Refuse(code)) = self.fault {
            self.shared.change(|state| state.refused += 1);
            return SmtpReply::Code(code);
        }
        let to = address(line);
        let mut put_off = false;
        self.shared.change(|state| {
            put_off = state.is_greylisted(&to);
            state.refused += usize::from(put_off);
        });
        if put_off {
            return SmtpReply::Code(451);
        }
        self.to.push(to);
        SmtpReply::Reply("250 OK")
    }

    async fn data(&mut self) -> io::Result<SmtpReply> {
        self.say("354 go on").await?;
        let mut raw = String::new();
        loop {
            let Some(line) = self.line().await? else { return Ok(SmtpReply::Close) };
            if matches!(self.fault, Some(MailFault::CloseInData)) {
                return Ok(SmtpReply::Close);
            }
            if line == "." {
                break;
            }
            raw.push_str(line.strip_prefix('.').unwrap_or(&line));
            raw.push_str("\r\n");
        }
        let mail = parse(std::mem::take(&mut self.from), std::mem::take(&mut self.to), raw);
        self.shared.change(|state| state.mails.push(mail));
        match self.fault.take() {
            Some(MailFault::DropAfterAccept) => return Ok(SmtpReply::Close),
            Some(MailFault::Delay(time)) => tokio::time::sleep(time).await,
            Some(MailFault::Hold) => {
                self.shared.change(|state| state.held += usize::from(!state.released));
                self.shared.wait_until_released().await;
            }
            _ => {}
        }
        Ok(SmtpReply::Reply("250 accepted"))
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line).await?;
        let line = String::from_utf8_lossy(&line);
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.writer.write_all(format!("{reply}\r\n").as_bytes()).await
    }
}

/// The text between the angle brackets.
fn address(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or(line, |(address, _)| address).to_owned()
}

fn parse(from: String, to: Vec<String>, raw: String) -> Mail {
    let message = MessageParser::default().parse(&raw).expect("a message");
    let part = |text: Option<std::borrow::Cow<'_, str>>| text.unwrap_or_default().into_owned();
    let text = part(message.body_text(0));
    Mail {
        from,
        to,
        subject: message.subject().unwrap_or_default().to_owned(),
        html: part(message.body_html(0)),
        code: first_code(&text),
        text,
        raw,
    }
}

/// `123456` or `123 456`, not part of a longer number.
fn first_code(text: &str) -> Option<String> {
    let mut groups = text.split(|c: char| !c.is_ascii_digit() && c != ' ').map(str::trim);
    groups.find_map(|group| {
        let digits: String = group.split(' ').collect();
        let plain = group.len() == 6 || (group.len() == 7 && group.as_bytes()[3] == b' ');
        (plain && digits.len() == 6).then_some(digits)
    })
}

#[cfg(test)]
mod tests;
