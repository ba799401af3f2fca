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

    /// Host, and port if it is not the scheme's default.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// Whether a `Host` header or `:authority` names this issuer.
    #[must_use]
    pub(crate) fn has_authority(&self, authority: &str) -> bool {
        same_authority(&self.url, authority)
    }

    /// Whether an `Origin` header names this issuer.
    #[must_use]
    pub(crate) fn has_origin(&self, origin: &str) -> bool {
        origin.split_once("://").is_some_and(|(scheme, authority)| {
            scheme.eq_ignore_ascii_case(self.url.scheme()) && same_authority(&self.url, authority)
        })
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

/// Whether a text is the authority of an address: its host in any case, and its port, which may be left out, left empty or
/// be written when it is the default of the scheme (RFC 9110, section 4.2.3). A host with a dot at its end is another one:
/// a browser keeps cookies and origins of the two apart.
pub(crate) fn same_authority(url: &Url, authority: &str) -> bool {
    let default = match url.scheme() {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let without_default_port = |text: &str| {
        let bare = text.strip_suffix(default).or_else(|| text.strip_suffix(':')).unwrap_or(text);
        bare.to_ascii_lowercase()
    };
    without_default_port(authority) == without_default_port(url.authority())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_port_is_same_authority() {
        let issuer = Issuer::parse("https://login.example.org").unwrap();
        for ours in ["login.example.org", "LOGIN.example.org:443", "login.example.org:"] {
            assert!(issuer.has_authority(ours), "{ours}");
            assert!(issuer.has_origin(&format!("https://{ours}")), "{ours}");
            assert!(!issuer.has_origin(&format!("http://{ours}")), "{ours}");
            assert!(!issuer.has_origin(ours), "{ours}");
        }
        let local = Issuer::parse("http://localhost").unwrap();
        assert!(local.has_authority("localhost:80") && !local.has_authority("localhost:443"));
        let v6 = Issuer::parse("http://[::1]").unwrap();
        assert!(v6.has_authority("[::1]:80") && v6.has_authority("[::1]"));
        let other_port = Issuer::parse("https://login.example.org:8443").unwrap();
        assert!(other_port.has_authority("login.example.org:8443"));
        assert!(!other_port.has_authority("login.example.org"));
    }

    #[test]
    fn other_port_is_other_authority() {
        let issuer = Issuer::parse("https://login.example.org").unwrap();
        for other in [
            "",
            ":443",
            "login.example.org:80",
            "login.example.org:8443",
            "login.example.org:0443",
            "login.example.org:443:443",
            "login.example.org::443",
            "login.example.org.",
            "login.example.org.:443",
            "login.example.org.evil.example",
            "evil.example:443",
            "a@login.example.org",
            "login.example.org/",
            " login.example.org",
        ] {
            assert!(!issuer.has_authority(other), "{other}");
            assert!(!issuer.has_origin(&format!("https://{other}")), "{other}");
        }
        assert!(!issuer.has_origin("null"));
    }
}
