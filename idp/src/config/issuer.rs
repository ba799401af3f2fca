//! `issuer`: who we are.

use url::Url;

use super::parse::is_loopback;
use super::reader::Reader;

/// The issuer identifier (OpenID Connect Discovery 1.0, section 3): an origin, with no slash at its
/// end. Every absolute URL that leaves us begins with it; none is made from a request.
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
        // Clients compare this text byte by byte, so it has one spelling: ours and the browser's.
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

    /// The same as a parsed address. Its `as_str` ends in a slash: use [`Issuer::as_str`] in tokens.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Host, and port if it is not the scheme's own: what a `Host` header must say.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// An absolute address of ours; `path` begins with a slash.
    #[must_use]
    pub(crate) fn absolute_url(&self, path: &str) -> String {
        format!("{}{path}", self.text)
    }

    /// Whether the names of cookies take `__Host-` and their attributes `Secure`.
    #[must_use]
    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}
