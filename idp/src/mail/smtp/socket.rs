//! The byte stream to the mail server: TCP with TLS from its first byte, with TLS after STARTTLS, or without TLS.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::{
    CertificateError, ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{MailerError, starttls};
use crate::config::SmtpTls;

/// How the connections to one server are protected by TLS.
pub(super) struct SocketTls {
    kind: SmtpTls,
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

impl SocketTls {
    /// TLS to a server whose certificate must be valid for `host`.
    pub(super) fn new(
        kind: SmtpTls,
        host: &str,
        roots: RootCertStore,
    ) -> Result<Self, MailerError> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server_name =
            ServerName::try_from(host).map_err(|_| MailerError::Host(host.to_owned()))?.to_owned();
        Ok(Self { kind, connector: TlsConnector::from(Arc::new(config)), server_name })
    }
}

/// The root certificates that this machine trusts, or the file of `SSL_CERT_FILE`. Those that cannot be read are left
/// out.
pub(super) fn machine_roots() -> Result<RootCertStore, MailerError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(MailerError::NoRoots) } else { Ok(roots) }
}

/// An open stream, as lettre uses it.
#[derive(Debug)]
pub(super) struct Socket {
    /// What is read before the stream. lettre waits for a greeting, and after STARTTLS a server sends none.
    greeting: &'static [u8],
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Connects. `hello` is our name in `EHLO`.
    ///
    /// # Errors
    /// For the log, without addresses of people: what failed.
    pub(super) async fn open(
        host: &str,
        port: u16,
        tls: Option<&SocketTls>,
        hello: &str,
    ) -> Result<Self, String> {
        let at = |what: &str, why: String| format!("{what} {host}:{port}: {why}");
        let connected = open_tcp(host, port).await;
        let mut tcp = connected.map_err(|error| at("cannot connect to", error.to_string()))?;
        let Some(tls) = tls else { return Ok(Self { greeting: b"", stream: Stream::Clear(tcp) }) };
        let is_upgrade = tls.kind == SmtpTls::StartTls;
        if is_upgrade {
            let upgrade = starttls::request_upgrade(&mut tcp, hello).await;
            upgrade.map_err(|why| at("no TLS with", why))?;
        }
        let stream = tls.connector.connect(tls.server_name.clone(), tcp).await;
        let stream = stream.map_err(|error| at("no TLS with", explain(&error)))?;
        let greeting: &[u8] = if is_upgrade { b"220 TLS\r\n" } else { b"" };
        Ok(Self { greeting, stream: Stream::Tls(Box::new(stream)) })
    }
}

/// Why TLS failed, and what to do about the most frequent mistakes.
fn explain(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let remedy = match cause {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName
            | CertificateError::NotValidForNameContext { .. }
            | CertificateError::Expired
            | CertificateError::ExpiredContext { .. },
        )) => "",
        Some(rustls::Error::InvalidCertificate(_)) => {
            "; its certificate must come from an authority that this machine trusts: name the file of a private one in \
             SSL_CERT_FILE"
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            "; it does not speak TLS there: smtp.tls is mostly `tls` for port 465 and `starttls` for 587"
        }
        _ => "",
    };
    format!("{error}{remedy}")
}

/// A TCP connection that sends each write at once. Otherwise a command waits until the server has acknowledged what was
/// sent before it, which servers delay by 40 ms and more (RFC 1122, section 4.2.3.2).
async fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

impl AsyncTokioStream for Socket {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.stream {
            Stream::Clear(tcp) => tcp.peer_addr(),
            Stream::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.greeting.is_empty() {
            let (read, rest) = self.greeting.split_at(self.greeting.len().min(buf.remaining()));
            buf.put_slice(read);
            self.greeting = rest;
            return Poll::Ready(Ok(()));
        }
        match &mut self.stream {
            Stream::Clear(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Clear(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Clear(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Clear(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::open_tcp;

    #[tokio::test]
    async fn smtp_socket_sends_writes_immediately() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(open_tcp("127.0.0.1", port).await.unwrap().nodelay().unwrap());
    }
}
