//! TLS 1.2 and 1.3 on the public listener, with a certificate that is reloaded while the program runs.
//!
//! The files are read again every few seconds and compared by content: a mounted secret is a symbolic link that changes, so
//! its modification time is no sign. New connections use a new pair; existing ones keep theirs. A pair that cannot be used
//! is refused, and the old one stays.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::Ticketer,
    server::{ProducesTickets, ResolvesServerCert},
    sign::SingleCertAndKey,
};
use store::Timestamp;
use tokio::{sync::watch, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::certificate_pair::{self, CertificatePair, PemFiles};
use crate::{
    app::App,
    clock::{Clock, rfc3339},
    config::{ConfigProblem, TlsConfig},
};

/// How often the files are read.
const POLL: Duration = Duration::from_secs(2);
/// A certificate that expires sooner is logged.
const EXPIRY_WARNING: Duration = Duration::from_hours(14 * 24);
/// How often that log line is repeated.
const REMINDER_INTERVAL: Duration = Duration::from_hours(6);

/// The certificate in use. Copies share it.
#[derive(Clone, Debug)]
pub struct Tls {
    files: TlsConfig,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    current: RwLock<CurrentCertificate>,
    tickets: Arc<dyn ProducesTickets>,
}

#[derive(Debug)]
struct CurrentCertificate {
    files: PemFiles,
    config: Arc<ServerConfig>,
    expires: Timestamp,
}

impl Tls {
    /// Reads the pair for the first time.
    ///
    /// # Errors
    /// The problem, with the name of its configuration key.
    pub fn load(files: &TlsConfig, now: Timestamp) -> Result<Self, ConfigProblem> {
        let broken = |error: rustls::Error| ConfigProblem {
            key: "tls.cert".to_owned(),
            text: format!("TLS cannot be used: {error}"),
        };
        let tickets = Ticketer::new().map_err(broken)?;
        let pem_files = PemFiles::read(files)?;
        let pair = CertificatePair::parse(&pem_files, now)?;
        let config = config(&pair, &tickets).map_err(broken)?;
        let current =
            RwLock::new(CurrentCertificate { files: pem_files, config, expires: pair.expires });
        Ok(Self { files: files.clone(), shared: Arc::new(Shared { current, tickets }) })
    }

    /// The acceptor for the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.shared.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.config))
    }

    /// Polls the files until `stop`.
    pub(super) async fn watch_files(self, app: App, mut stop: watch::Receiver<bool>) {
        let (clock, mut refused) = (&app.clock, None);
        let mut reminded: Option<Timestamp> = None;
        app.metrics.set_certificate_expiry(self.expires());
        while timeout(POLL, stop.wait_for(|stopped| *stopped)).await.is_err() {
            self.reload_if_changed(clock, &mut refused).await;
            let (now, expires) = (clock.now(), self.expires());
            app.metrics.set_certificate_expiry(expires);
            let is_reminded = reminded.is_some_and(|last| now.since(last) < REMINDER_INTERVAL);
            if expires.since(now) < EXPIRY_WARNING && !is_reminded {
                reminded = Some(now);
                tracing::error!(
                    expires = rfc3339(expires),
                    "alarm: the certificate in tls.cert ends soon; renew it"
                );
            }
        }
    }

    /// Installs a new pair when there is one. A refused pair is logged once.
    async fn reload_if_changed(
        &self,
        clock: &Clock,
        refused: &mut Option<Result<PemFiles, ConfigProblem>>,
    ) {
        let files = self.files.clone();
        let read = tokio::task::spawn_blocking(move || PemFiles::read(&files)).await;
        let Ok(read) = read else { return };
        if read.as_ref().is_ok_and(|files| *files == self.current(|current| current.files.clone()))
        {
            *refused = None;
            return;
        }
        if refused.as_ref() == Some(&read) {
            return;
        }
        match read.clone().and_then(|files| self.install(files, clock.now())) {
            Ok(expires) => {
                *refused = None;
                tracing::info!(expires = rfc3339(expires), "a new certificate is in use");
            }
            Err(problem) => {
                tracing::error!(%problem, "alarm: the new certificate cannot be used; the old one stays");
                *refused = Some(read);
            }
        }
    }

    fn install(&self, files: PemFiles, now: Timestamp) -> Result<Timestamp, ConfigProblem> {
        let pair = CertificatePair::parse(&files, now)?;
        let config = config(&pair, &self.shared.tickets).map_err(|error| ConfigProblem {
            key: "tls.cert".to_owned(),
            text: error.to_string(),
        })?;
        let expires = pair.expires;
        *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) =
            CurrentCertificate { files, config, expires };
        Ok(expires)
    }

    fn expires(&self) -> Timestamp {
        self.current(|current| current.expires)
    }

    fn current<T>(&self, read: impl FnOnce(&CurrentCertificate) -> T) -> T {
        read(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One certificate for every server name (SNI): the Host of each request is checked later.
fn config(
    pair: &CertificatePair,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let certificate: Arc<dyn ResolvesServerCert> =
        Arc::new(SingleCertAndKey::from(Arc::clone(&pair.certified_key)));
    let mut config = ServerConfig::builder_with_provider(certificate_pair::crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // The ticket keys are kept for the whole process, so a session can be resumed after a renewal; no state is kept for a
    // client. Early data stays off: an attacker who recorded it could replay it (RFC 8446, section 8).
    config.ticketer = Arc::clone(tickets);
    Ok(Arc::new(config))
}
