//! `issuer`: the issuer identifier of this provider.

use url::Url;

use super::parse::is_loopback;
use super::reader::Reader;

/// The issuer identifier (OpenID Connect Discovery 1.0, section 3): an origin, with no slash at its
/// end. Every absolute URL that we send begins with it; none is built from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    text: String,
    url: Url,
}

impl Issuer {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let what = "the public address of this service, such as `https://login.example.org`";
        reader.required("issuer", what, Self::parse)
    }

    /// Checks an issuer identifier.
    ///
    /// # Errors
    /// What is wrong with it and what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|_| "is not an address; write it as `https://login.example.org`".to_owned())?;
        let host = url.host_str().unwrap_or_default();
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => {
                return Err("must be https; http is for this machine (localhost) alone".to_owned());
            }
            _ => return Err("must begin with https://".to_owned()),
        }
        if host.is_empty() || !url.username().is_empty() || url.password().is_some() {
            return Err("must have a host and no user name or password".to_owned());
        }
        // Clients compare this text byte by byte, so only the serialized origin (RFC 6454) is accepted.
        let plain = url.origin().ascii_serialization();
        if text == plain {
            return Ok(Self { text: plain, url });
        }
        Err(format!(
            "must be scheme, host and port alone, in lower case, without path, query or slash at the end: `{plain}`"
        ))
    }

    /// The identifier exactly as clients compare it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The identifier as a parsed URL. Its `as_str` ends in a slash: use [`Issuer::as_str`] in tokens.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Host, and port if it is not the scheme's default: the required value of a `Host` header.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// An absolute address of ours; `path` begins with a slash.
    #[must_use]
    pub(crate) fn absolute_url(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether cookies get the prefix `__Host-` and the attribute `Secure`.
    #[must_use]
    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}
