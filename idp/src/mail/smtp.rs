//! Sends one rendered message to one mail server, or to the mailbox of `dev`.
//!
//! The connections are lettre's, the pool is ours. lettre's pool takes a connection back whenever
//! its user is dropped, also in the middle of a message, and waits for replies without a limit.
//! Here a connection returns to the pool only after the reply to a whole message, and one time
//! limit covers the whole attempt.

mod message;
mod socket;
mod starttls;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Mail, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use rustls::RootCertStore;
use tokio::time::timeout;

use self::socket::{Socket, SocketTls};
use crate::config::{SmtpConfig, SmtpTls};
use crate::dev::mailbox::Mailbox;

/// Messages after which a connection is closed: servers limit them, and a new connection resolves the host name again.
const MESSAGES_PER_CONNECTION: u32 = 100;
/// The time limit for checking that an idle connection still works.
const ALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Sends mails. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Mailer {
    transport: Transport,
    sender: Arc<Sender>,
}

/// The sender of every mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The address in `From` and in the envelope.
    pub address: Address,
    /// The name in `From`, unless it is the brand's.
    pub name: Option<String>,
}

#[derive(Clone, Debug)]
enum Transport {
    Smtp(Arc<SmtpServer>),
    Mailbox(Arc<Mailbox>),
}

/// The server took responsibility for the message (RFC 5321, section 4.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendReceipt {
    /// The server's reply, mostly its queue id; without addresses.
    pub reply: String,
}

/// The message was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct SendError {
    /// The server refused this message or this address for good: sending it again is useless.
    /// Never set for a problem of the server, our account on it or the network.
    pub permanent: bool,
    /// For the log: the server's reply or the network's error, without addresses.
    pub text: String,
}

/// TLS cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// No certificate of a mail server could be verified.
    #[error(
        "this machine has no root certificates for TLS with the mail server; install them \
         (ca-certificates) or name a file in SSL_CERT_FILE"
    )]
    NoRoots,
    /// No certificate can be valid for this name.
    #[error("smtp.host, {0}, is not a name that a certificate can have")]
    Host(String),
    /// The library refused.
    #[error("cannot prepare TLS for the mail server: {0}")]
    Tls(#[from] rustls::Error),
}

impl Mailer {
    /// A mailer that uses a mail server. Does not connect yet.
    ///
    /// # Errors
    /// When TLS is wanted and cannot be prepared.
    pub fn smtp(config: &SmtpConfig) -> Result<Self, MailerError> {
        Self::with_roots(config, socket::machine_roots)
    }

    fn with_roots(
        config: &SmtpConfig,
        roots: impl FnOnce() -> Result<RootCertStore, MailerError>,
    ) -> Result<Self, MailerError> {
        let sender =
            Sender { address: config.from_address.clone(), name: Some(config.from_name.clone()) };
        let tls = match config.tls {
            SmtpTls::None => None,
            kind => Some(SocketTls::new(kind, &config.host, roots()?)?),
        };
        Ok(Self {
            transport: Transport::Smtp(Arc::new(SmtpServer::new(config, tls))),
            sender: Arc::new(sender),
        })
    }

    /// A mailer that uses the mailbox page of `dev`: nothing leaves this process.
    #[must_use]
    pub fn mailbox(mailbox: Arc<Mailbox>) -> Self {
        let address = Address::new_dangerous("codes", "localhost");
        let sender = Sender { address, name: None };
        Self { transport: Transport::Mailbox(mailbox), sender: Arc::new(sender) }
    }

    /// The sender of its mails.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The time limit of [`Mailer::send`].
    #[must_use]
    pub fn limit(&self) -> Duration {
        match &self.transport {
            Transport::Smtp(server) => server.limit,
            Transport::Mailbox(_) => Duration::ZERO,
        }
    }

    /// How many codes may be sent at once (`smtp.connections`); 1 for the mailbox of `dev`, which takes no time.
    #[must_use]
    pub fn connections(&self) -> usize {
        match &self.transport {
            Transport::Smtp(server) => server.connections,
            Transport::Mailbox(_) => 1,
        }
    }

    /// Sends one message unchanged; `bytes` is the whole message with its headers.
    ///
    /// The future may be dropped at any point: it is then unknown whether the message was accepted,
    /// and its connection is closed.
    ///
    /// # Errors
    /// The message was not accepted, or it is unknown whether it was: after a time-out it may have been.
    pub async fn send(&self, envelope: &Envelope, bytes: &[u8]) -> Result<SendReceipt, SendError> {
        match &self.transport {
            Transport::Smtp(server) => server.within_limit(server.send(envelope, bytes)).await,
            Transport::Mailbox(mailbox) => {
                mailbox.receive(envelope, bytes);
                Ok(SendReceipt { reply: "kept in the mailbox of dev".to_owned() })
            }
        }
    }

    /// Connects, signs in to the server and sends nothing.
    ///
    /// # Errors
    /// When the server cannot be used; never permanent.
    pub async fn probe(&self) -> Result<(), SendError> {
        let Transport::Smtp(server) = &self.transport else { return Ok(()) };
        server
            .within_limit(async {
                let connection = server.acquire().await?;
                server.put_back(connection);
                Ok(())
            })
            .await
    }

    /// Connects, signs in to the server, and sends MAIL with our sender and then RSET (RFC 5321, section 4.1.1.5): no mail
    /// is sent.
    ///
    /// # Errors
    /// When the server cannot be used; never permanent.
    pub(crate) async fn probe_sender(&self) -> Result<(), SendError> {
        let Transport::Smtp(server) = &self.transport else { return Ok(()) };
        let offer = Mail::new(Some(self.sender.address.clone()), Vec::new());
        server
            .within_limit(async {
                let mut connection = server.acquire().await?;
                for command in [offer.to_string(), Rset.to_string()] {
                    let answer = connection.smtp.command(command).await;
                    answer.map_err(SendError::from_session_error)?;
                }
                connection.smtp.abort().await;
                Ok(())
            })
            .await
    }
}

/// One mail server and the idle connections to it.
struct SmtpServer {
    host: String,
    port: u16,
    tls: Option<SocketTls>,
    hello: ClientId,
    credentials: Option<Credentials>,
    limit: Duration,
    /// The limit on codes that are sent at once, and on idle connections.
    connections: usize,
    idle: Mutex<Vec<SmtpConnection>>,
}

struct SmtpConnection {
    smtp: AsyncSmtpConnection,
    messages: u32,
}

impl SmtpServer {
    fn new(config: &SmtpConfig, tls: Option<SocketTls>) -> Self {
        let credentials = config.credentials.as_ref().map(|given| {
            Credentials::new(given.username.clone(), given.password.reveal().to_owned())
        });
        Self {
            host: config.host.clone(),
            port: config.port,
            tls,
            // A container's host name is no name in the DNS; the sender's domain is.
            hello: ClientId::Domain(config.from_address.domain().to_owned()),
            credentials,
            limit: config.timeout,
            connections: usize::from(config.connections),
            idle: Mutex::new(Vec::new()),
        }
    }

    async fn within_limit<T>(
        &self,
        attempt: impl Future<Output = Result<T, SendError>>,
    ) -> Result<T, SendError> {
        timeout(self.limit, attempt).await.unwrap_or_else(|_| {
            let text =
                format!("no answer from {}:{} within {:?}", self.host, self.port, self.limit);
            Err(SendError { permanent: false, text })
        })
    }

    async fn send(&self, envelope: &Envelope, bytes: &[u8]) -> Result<SendReceipt, SendError> {
        let mut connection = self.acquire().await?;
        let response = match message::transfer(&mut connection.smtp, envelope, bytes).await {
            Ok(response) => response,
            Err(error) => {
                connection.smtp.abort().await;
                return Err(error);
            }
        };
        connection.messages += 1;
        self.put_back(connection);
        Ok(SendReceipt::from(&response))
    }

    /// An idle connection that still works, or a new one.
    async fn acquire(&self) -> Result<SmtpConnection, SendError> {
        loop {
            let idle = self.lock().pop();
            let Some(mut connection) = idle else { break };
            let alive = timeout(ALIVE_TIMEOUT, connection.smtp.test_connected()).await;
            if alive == Ok(true) {
                return Ok(connection);
            }
            // The others were idle too: what closed this one has closed them, and each check would take as long.
            self.lock().clear();
        }
        let smtp = self.connect().await?;
        Ok(SmtpConnection { smtp, messages: 0 })
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        let hello = self.hello.to_string();
        let socket = Socket::open(&self.host, self.port, self.tls.as_ref(), &hello).await;
        let socket = Box::new(socket.map_err(SendError::from_session_error)?);
        let mut smtp = AsyncSmtpConnection::connect_with_transport(socket, &self.hello)
            .await
            .map_err(SendError::from_session_error)?;
        if let Some(credentials) = &self.credentials {
            let entered = smtp.auth(DEFAULT_MECHANISMS, credentials).await;
            entered.map_err(SendError::from_auth_error)?;
        }
        Ok(smtp)
    }

    fn put_back(&self, connection: SmtpConnection) {
        let mut idle = self.lock();
        if idle.len() < self.connections && connection.messages < MESSAGES_PER_CONNECTION {
            idle.push(connection);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SmtpConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl From<&Response> for SendReceipt {
    fn from(response: &Response) -> Self {
        Self { reply: redact_addresses(response.first_line().unwrap_or_default()) }
    }
}

impl SendError {
    /// An error before the message was offered is never about the message.
    fn from_session_error(error: impl fmt::Display) -> Self {
        Self { permanent: false, text: redact_addresses(&error.to_string()) }
    }

    /// The library itself refuses to authenticate where the server offers none of its mechanisms.
    fn from_auth_error(error: lettre::transport::smtp::Error) -> Self {
        if error.is_client() {
            return Self::from_session_error(
                "the server offers no authentication that we know (PLAIN or LOGIN); if it needs none, leave out \
                 smtp.username",
            );
        }
        Self::from_session_error(error)
    }

    /// Of the 5xx replies to a message, those about the recipient's mailbox are permanent. The rest (policy, our sender,
    /// our quota, commands, authentication, encryption) is about us, until an operator has fixed the cause. The enhanced
    /// status decides which it is (RFC 3463, section 3); without one, the reply code (RFC 5321, section 4.2.3).
    fn from_message_error(error: &lettre::transport::smtp::Error) -> Self {
        let text = error.to_string();
        let is_about_recipient = match (error.status().map(u16::from), enhanced_status(&text)) {
            (Some(500..), Some((1, detail))) => !SENDER_DETAILS.contains(&detail),
            (Some(500..), Some((subject, _))) => subject == 2,
            (Some(550..=553 | 556), None) => true,
            _ => false,
        };
        Self { permanent: is_about_recipient || error.is_client(), text: redact_addresses(&text) }
    }
}

/// Details of the subject "addressing" that are about the sender (RFC 3463, section 3.2).
const SENDER_DETAILS: [u16; 2] = [7, 8];

/// Subject and detail of a permanent failure's enhanced status, `5.1.1`, if the reply has one.
fn enhanced_status(reply: &str) -> Option<(u16, u16)> {
    reply.split_whitespace().find_map(|word| {
        let (subject, detail) = word.strip_prefix("5.")?.split_once('.')?;
        Some((subject.parse().ok()?, detail.parse().ok()?))
    })
}

/// Servers repeat the address that they refuse, and addresses are not logged.
fn redact_addresses(text: &str) -> String {
    let words =
        text.split_whitespace().map(|word| if word.contains('@') { "<address>" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
