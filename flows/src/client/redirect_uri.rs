//! Rules for the redirect URIs that a client registers.

use url::Url;

use super::metadata::ApplicationType;

/// RFC 9700, section 2.6: https, or http on loopback; a private scheme only for native clients (RFC 8252, section 7.1).
pub(super) fn parse(uri: &str, application: ApplicationType) -> Result<Url, &'static str> {
    let url = Url::parse(uri).map_err(|_| "not an absolute URI")?;
    // It is sent to browsers as it is written here, so it must mean the same to each of them.
    if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "a redirect URI is ASCII: the host as its A-label (xn--..), everything else percent-encoded",
        );
    }
    let is_web = matches!(url.scheme(), "https" | "http");
    if is_web && !uri.starts_with("https://") && !uri.starts_with("http://") {
        return Err("a redirect URI begins with https://, in small letters");
    }
    if url.fragment().is_some() {
        return Err("a redirect URI has no fragment (RFC 6749, section 3.1.2)");
    }
    if !url.username().is_empty() || url.password().is_some() || uri.contains(['\\', ' ']) {
        return Err("a redirect URI has no user name, space or backslash");
    }
    let native = application == ApplicationType::Native;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("http is only for loopback; use https"),
        "javascript" | "data" | "file" | "blob" | "about" | "vbscript" => {
            Err("this scheme cannot be a redirect URI")
        }
        scheme if native && scheme.contains('.') => Ok(url),
        _ if native => Err("a private scheme is a reversed domain name, such as org.example.app"),
        _ => Err("only https, or http on loopback; a private scheme needs --profile native"),
    }
}

/// Whether an address is on the person's own machine.
#[must_use]
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a redirect URI is the registered one: the same text (RFC 9700, section 2.1). A native client chooses the port of
/// its loopback address (RFC 8252, section 7.3), of which the path `/` may be left out.
pub(super) fn is_same(registered: &str, given: &str, application: ApplicationType) -> bool {
    registered == given
        || application == ApplicationType::Native
            && without_port(given)
                .is_some_and(|given| without_port(registered).is_some_and(|uri| uri == given))
}

/// Host and path of an http URI on `127.0.0.1` or `[::1]`, without its port. `localhost` is compared as it is: a name can
/// be pointed elsewhere.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| rest.starts_with(host))?;
    let rest = &rest[host.len()..];
    let path = match rest.strip_prefix(':') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            rest[..digits].parse::<u16>().ok()?;
            &rest[digits..]
        }
        None => rest,
    };
    match path.chars().next() {
        None => Some((host, "/")),
        Some('/' | '?') => Some((host, path)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: ApplicationType = ApplicationType::Web;
    const NATIVE: ApplicationType = ApplicationType::Native;

    #[test]
    fn redirect_uris_allowed_per_application_type() {
        for (uri, web, native) in [
            ("https://lab.example/callback", true, true),
            ("https://lab.example:8443/callback?a=b", true, true),
            ("http://127.0.0.1/callback", true, true),
            ("http://[::1]:8000/callback", true, true),
            ("http://localhost/callback", true, true),
            ("http://lab.example/callback", false, false),
            ("http://127.0.0.1.lab.example/callback", false, false),
            ("org.example.app:/callback", false, true),
            ("app:/callback", false, false),
            ("javascript:alert(1)", false, false),
            ("data:text/html,x", false, false),
            ("https://lab.example/callback#part", false, false),
            ("https://person@lab.example/callback", false, false),
            ("https://lab.example\\@evil.example/callback", false, false),
            ("https://lab.example/a callback", false, false),
            ("https://b\u{fc}cher.example/callback", false, false),
            ("https://xn--bcher-kva.example/r%C3%BCck", true, true),
            ("https:/lab.example/callback", false, false),
            ("https:lab.example/callback", false, false),
            ("HTTPS://lab.example/callback", false, false),
            ("https://lab.example/\tcallback", false, false),
            ("https://lab.example/\u{1}", false, false),
            ("/callback", false, false),
            ("", false, false),
        ] {
            assert_eq!(parse(uri, WEB).is_ok(), web, "{uri}");
            assert_eq!(parse(uri, NATIVE).is_ok(), native, "{uri}");
        }
    }

    #[test]
    fn redirect_uri_errors_suggest_fix() {
        let http = parse("http://lab.example/callback", WEB);
        assert_eq!(http.unwrap_err(), "http is only for loopback; use https");
        assert!(parse("org.example.app:/callback", WEB).unwrap_err().contains("--profile native"));
        assert!(parse("app:/callback", NATIVE).unwrap_err().contains("reversed domain name"));
    }

    #[test]
    fn only_loopback_literal_port_may_vary() {
        let same = |registered: &str, given: &str| is_same(registered, given, NATIVE);
        let registered = "http://127.0.0.1/callback";
        assert!(same(registered, "http://127.0.0.1:51004/callback"));
        assert!(same(registered, "http://127.0.0.1:80/callback"));
        assert!(same("http://[::1]:8000/cb", "http://[::1]:9/cb"));
        for (registered, given) in [
            ("http://127.0.0.1", "http://127.0.0.1:51004"),
            ("http://127.0.0.1/", "http://127.0.0.1:51004"),
            ("http://127.0.0.1", "http://127.0.0.1:51004/"),
            ("http://[::1]", "http://[::1]:51004"),
        ] {
            assert!(same(registered, given), "{registered} {given}");
            assert!(!is_same(registered, given, WEB), "{registered} {given}");
        }
        for given in [
            "http://localhost:51004/callback",
            "http://127.0.0.1:51004/callback/",
            "http://127.0.0.1:51004/callback?a=b",
            "http://127.0.0.1:51004/x/../callback",
            "http://127.0.0.1:51004@evil.example/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://127.0.0.2:51004/callback",
            "https://127.0.0.1:51004/callback",
            "http://127.1:51004/callback",
        ] {
            assert!(!same(registered, given), "{given}");
        }
        assert!(!same("http://localhost/callback", "http://localhost:1/callback"));
        assert!(!same("https://app.example/callback", "https://app.example:1/callback"));
    }
}
