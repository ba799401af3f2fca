//! The cookies, and the one function that decides their names (decision 13): three that prove something, and one that
//! remembers a language.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use flows::device;
use keys::{DeviceToken, OpaqueToken};

use crate::{config::Issuer, locale::LanguageChoice};

/// Separates the values of the device cookie.
const SEPARATOR: char = '.';

/// Names and flags of the cookies.
#[derive(Clone, Debug)]
pub struct CookieNames {
    browser: &'static str,
    session: &'static str,
    device: &'static str,
    locale: &'static str,
    flags: &'static str,
}

impl CookieNames {
    /// `__Host-` and `Secure` on https. On `dev`'s http issuer neither, because browsers and cookie jars disagree about
    /// http on loopback. There the names are ones that no framework uses by default: cookies know no ports, so the
    /// application of a developer on the same machine would get its own cookie overwritten.
    #[must_use]
    pub fn for_issuer(issuer: &Issuer) -> Self {
        if issuer.is_https() {
            Self {
                browser: "__Host-browser",
                session: "__Host-session",
                device: "__Host-device",
                locale: "__Host-locale",
                flags: "; Path=/; Secure; HttpOnly; SameSite=Lax",
            }
        } else {
            Self {
                browser: "vestibule-browser",
                session: "vestibule-session",
                device: "vestibule-device",
                locale: "vestibule-locale",
                flags: "; Path=/; HttpOnly; SameSite=Lax",
            }
        }
    }

    /// The browser cookie of a request.
    #[must_use]
    pub fn browser(&self, headers: &HeaderMap) -> Option<OpaqueToken> {
        read_token(headers, self.browser)
    }

    /// The values of known devices of a request, one for each account.
    #[must_use]
    pub fn devices(&self, headers: &HeaderMap) -> Vec<DeviceToken> {
        let values = read_cookie(headers, self.device).unwrap_or_default();
        values.split(SEPARATOR).filter_map(DeviceToken::parse).take(device::MAX_ACCOUNTS).collect()
    }

    /// Sets the values of known devices. They persist when the browser is closed; the server decides whether they count.
    #[must_use]
    pub fn set_devices(&self, values: &[DeviceToken], lifetime: Duration) -> Option<HeaderValue> {
        let values: Vec<String> = values.iter().map(DeviceToken::reveal).collect();
        let value = values.join(&SEPARATOR.to_string());
        self.set(self.device, &format!("{value}; Max-Age={}", lifetime.as_secs()))
    }

    /// The session cookie of a request.
    #[must_use]
    pub fn session(&self, headers: &HeaderMap) -> Option<OpaqueToken> {
        read_token(headers, self.session)
    }

    /// The language that this browser remembers.
    #[must_use]
    pub fn language_choice(&self, headers: &HeaderMap) -> LanguageChoice {
        LanguageChoice::parse(read_cookie(headers, self.locale).unwrap_or_default())
    }

    /// Sets the browser cookie.
    #[must_use]
    pub(crate) fn set_browser(&self, value: &OpaqueToken) -> Option<HeaderValue> {
        self.set(self.browser, value.reveal())
    }

    /// Sets the session cookie. It has no `Max-Age`: the browser drops it when it closes, and the server ends the session.
    #[must_use]
    pub(crate) fn set_session(&self, value: &OpaqueToken) -> Option<HeaderValue> {
        self.set(self.session, value.reveal())
    }

    /// Deletes the session cookie.
    #[must_use]
    pub(crate) fn clear_session(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{}={}; Max-Age=0", self.session, self.flags)).ok()
    }

    /// Remembers a language for a year.
    #[must_use]
    pub fn set_language_choice(&self, choice: LanguageChoice) -> Option<HeaderValue> {
        let (name, value, flags) = (self.locale, choice.to_cookie(), self.flags);
        HeaderValue::try_from(format!("{name}={value}{flags}; Max-Age=31536000")).ok()
    }

    fn set(&self, name: &str, value: &str) -> Option<HeaderValue> {
        let mut header = HeaderValue::try_from(format!("{name}={value}{}", self.flags)).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

fn read_token(headers: &HeaderMap, name: &str) -> Option<OpaqueToken> {
    OpaqueToken::parse(read_cookie(headers, name)?)
}

/// The value of a cookie. A duplicate may have been planted beside the real one, so both are ignored.
fn read_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut found = None;
    for header in headers.get_all(header::COOKIE) {
        // As bytes: a cookie of another site on the same domain may hold anything, and must not affect ours.
        for pair in header.as_bytes().split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            if let Some(value) =
                pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
                && found.replace(value).is_some()
            {
                return None;
            }
        }
    }
    std::str::from_utf8(found?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_cookie_counts_as_none() {
        let value = "A".repeat(43);
        let names = CookieNames::for_issuer(&Issuer::parse("https://login.example.org").unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; __Host-browser={value}").parse().unwrap());
        assert!(names.browser(&headers).is_some());
        assert!(names.session(&headers).is_none());
        let beside = [b"name=K\xc4\x81hui; __Host-browser=".as_slice(), value.as_bytes()].concat();
        headers.insert(header::COOKIE, HeaderValue::from_bytes(&beside).unwrap());
        assert!(names.browser(&headers).is_some(), "another site's cookie is not text");
        headers.append(header::COOKIE, format!("__Host-browser={value}").parse().unwrap());
        assert!(names.browser(&headers).is_none());
    }
}
