//! `[tls]`: the certificate of the public listener.

use std::path::PathBuf;

use super::reader::Reader;

/// The files of the certificate and its key. Both are read again while the program runs, so that a renewed pair is used
/// without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// PEM: the certificate of this server first, then those between it and a root.
    pub cert: PathBuf,
    /// PEM: its private key (PKCS#8, PKCS#1 or SEC1), not encrypted.
    pub key: PathBuf,
}

impl TlsConfig {
    /// The outer `None` is a reported problem. The inner one means plain HTTP behind a proxy.
    #[expect(clippy::option_option, reason = "wrong and absent are different answers")]
    pub(super) fn read(reader: &mut Reader) -> Option<Option<Self>> {
        let path = |text: &str| Ok(PathBuf::from(text));
        let cert = reader.optional("tls.cert", path);
        let key = reader.optional("tls.key", path);
        match (cert?, key?) {
            (Some(cert), Some(key)) => Some(Some(Self { cert, key })),
            (None, None) => Some(None),
            (Some(_), None) => {
                reader.add_problem(
                    "tls.key",
                    "is missing while tls.cert is set; name the file of its key",
                );
                None
            }
            (None, Some(_)) => {
                reader.add_problem(
                    "tls.cert",
                    "is missing while tls.key is set; name the file of its certificate",
                );
                None
            }
        }
    }
}
