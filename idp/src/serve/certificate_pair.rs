//! A certificate and its key, read from two files and checked before they are used.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    client::verify_server_name,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use store::Timestamp;
use x509_cert::{Certificate, der::Decode, time::Time};
use zeroize::Zeroizing;

use crate::config::{ConfigProblem, TlsConfig};

/// The largest file of either kind, in bytes. A larger one is the wrong file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The content of the two files.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PemFiles {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for PemFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PemFiles(..)")
    }
}

/// A certificate that is valid now, and its key.
#[derive(Debug)]
pub(crate) struct CertificatePair {
    /// For rustls.
    pub(super) certified_key: Arc<CertifiedKey>,
    /// When it expires.
    pub(crate) expires: Timestamp,
}

/// The crypto provider of rustls that this program uses.
pub(super) fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

impl PemFiles {
    /// Reads both files.
    pub(super) fn read(config: &TlsConfig) -> Result<Self, ConfigProblem> {
        let cert = read_file("tls.cert", &config.cert)?;
        Ok(Self { cert, key: Zeroizing::new(read_file("tls.key", &config.key)?) })
    }
}

impl CertificatePair {
    /// Reads and checks both files.
    ///
    /// # Errors
    /// The problem, with the name of its configuration key.
    pub(crate) fn load(config: &TlsConfig, now: Timestamp) -> Result<Self, ConfigProblem> {
        Self::parse(&PemFiles::read(config)?, now)
    }

    /// Checks the content of the files.
    pub(super) fn parse(files: &PemFiles, now: Timestamp) -> Result<Self, ConfigProblem> {
        let chain = parse_chain(&files.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|error| {
            problem(
                "tls.key",
                format!("holds no private key in PEM that is not encrypted: {error}"),
            )
        })?;
        let expires = check_validity(&chain, now)?;
        let certified_key = CertifiedKey::from_der(chain, key, &crypto_provider()).map_err(
            |error| match error {
                rustls::Error::InconsistentKeys(_) => problem(
                    "tls.key",
                    "is not the key of the first certificate in tls.cert; name a matching pair",
                ),
                other => problem("tls.key", format!("cannot be used: {other}")),
            },
        )?;
        Ok(Self { certified_key: Arc::new(certified_key), expires })
    }

    /// Whether the certificate is valid for `host`.
    pub(crate) fn is_valid_for(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let (Ok(name), Ok(cert)) =
            (ServerName::try_from(bare), self.certified_key.end_entity_cert())
        else {
            return false;
        };
        ParsedCertificate::try_from(cert).is_ok_and(|cert| verify_server_name(&cert, &name).is_ok())
    }
}

fn read_file(key: &str, path: &Path) -> Result<Vec<u8>, ConfigProblem> {
    let shown = path.display();
    let cannot = |error| problem(key, format!("{shown} cannot be read: {error}"));
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > MAX_FILE_BYTES {
        return Err(problem(key, format!("{shown} is too large for it ({size} bytes)")));
    }
    fs::read(path).map_err(cannot)
}

fn parse_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigProblem> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| problem("tls.cert", format!("is not PEM: {error}")))?;
    if chain.is_empty() {
        return Err(problem(
            "tls.cert",
            "holds no certificate; write it in PEM, before those of its issuers",
        ));
    }
    // A certificate that rustls cannot parse is reported here, not at the first handshake.
    for cert in &chain {
        RootCertStore::empty().add(cert.clone()).map_err(|error| {
            problem("tls.cert", format!("holds a certificate that cannot be read: {error}"))
        })?;
    }
    Ok(chain)
}

/// When the server's own certificate expires. An error if it has expired or is not yet valid (RFC 5280, section 4.1.2.5).
/// The validity of its issuers is not checked: a chain may contain an old root beside a new one, which clients accept.
fn check_validity(
    chain: &[CertificateDer<'_>],
    now: Timestamp,
) -> Result<Timestamp, ConfigProblem> {
    let unreadable = |why: String| {
        problem("tls.cert", format!("holds a certificate that cannot be read: {why}"))
    };
    let leaf = chain.first().ok_or_else(|| unreadable("none".to_owned()))?;
    let leaf = Certificate::from_der(leaf).map_err(|error| unreadable(error.to_string()))?;
    let validity = &leaf.tbs_certificate.validity;
    let (begins, ends) = (to_timestamp(&validity.not_before), to_timestamp(&validity.not_after));
    let subject = &leaf.tbs_certificate.subject;
    if now < begins {
        let begins = crate::clock::rfc3339(begins);
        let why = format!("`{subject}` is not valid before {begins}; is the clock right?");
        return Err(problem("tls.cert", why));
    }
    if ends < now {
        let ends = crate::clock::rfc3339(ends);
        return Err(problem("tls.cert", format!("`{subject}` expired at {ends}; renew it")));
    }
    Ok(ends)
}

fn to_timestamp(time: &Time) -> Timestamp {
    let millis = time.to_unix_duration().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

fn problem(key: &str, text: impl Into<String>) -> ConfigProblem {
    ConfigProblem { key: key.to_owned(), text: text.into() }
}
