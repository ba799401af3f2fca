//! A certificate authority for a test, and the files of its certificates.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use idp::config::TlsConfig;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority that one test trusts, with a folder for its certificates.
#[derive(Debug)]
pub struct CertificateAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key in PEM.
#[derive(Clone, Debug)]
pub struct IssuedCertificate {
    /// The certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

impl Default for CertificateAuthority {
    fn default() -> Self {
        Self::new()
    }
}

impl CertificateAuthority {
    /// Creates an authority. Its root is in [`CertificateAuthority::file`].
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Authority of a test");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a root");
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { issuer, folder }
    }

    /// Its root certificate in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The file of its root certificate.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Its folder, which is removed with the value.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Issues a certificate for names or addresses.
    pub fn issue(&self, names: &[&str]) -> IssuedCertificate {
        self.issue_until(names, 4000)
    }

    /// Issues a certificate that is valid until the beginning of a year.
    pub fn issue_until(&self, names: &[&str], year: i32) -> IssuedCertificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &*self.issuer).expect("a certificate");
        IssuedCertificate { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// Writes a pair to files for a server; only the owner can read the key.
    pub fn write(&self, issued: &IssuedCertificate) -> TlsConfig {
        let at = |name: &str| self.folder.path().join(name);
        let files = TlsConfig { cert: at("server.pem"), key: at("server.key") };
        fs::write(&files.cert, &issued.cert).expect("written");
        write_private_file(&files.key, issued.key.as_bytes());
        files
    }
}

/// Writes a file that only its owner can read.
pub fn write_private_file(path: &Path, content: &[u8]) {
    fs::write(path, content).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
}
