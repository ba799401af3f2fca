//! The redirect URI is one of the client's own: compared as text (RFC 9700, section 2.1), with one exception, the free
//! port of a native client's loopback address (RFC 8252, section 7.3).

use url::Url;

use super::{Draft, RequestRefusal, page_error};

pub(super) fn registered(draft: &mut Draft<'_>) -> Result<(), RequestRefusal> {
    let given =
        draft.params.get("redirect_uri").ok_or_else(|| page_error("redirect_uri is missing"))?;
    let client = draft.client.as_ref().ok_or_else(|| page_error("no client"))?;
    let known = client.metadata.redirect_uris.iter().any(|registered| {
        registered == given || client.is_native() && loopback_match(registered, given)
    });
    if !known {
        return Err(page_error("redirect_uri is not registered for this client"));
    }
    given.clone_into(&mut draft.request.redirect_uri);
    Ok(())
}

/// Equal except for the port, and both on `127.0.0.1` or `[::1]`; `localhost` must match exactly, because DNS can resolve it
/// to another host.
fn loopback_match(registered: &str, given: &str) -> bool {
    let (Ok(mut registered), Ok(mut parsed)) = (Url::parse(registered), Url::parse(given)) else {
        return false;
    };
    // A URI that the parser normalised differs from the registered text.
    if parsed.as_str() != given {
        return false;
    }
    let literal = |url: &Url| matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
    registered.scheme() == "http"
        && literal(&registered)
        && literal(&parsed)
        && registered.set_port(None).is_ok()
        && parsed.set_port(None).is_ok()
        && registered == parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_literal_port_may_vary() {
        let registered = "http://127.0.0.1/callback";
        assert!(loopback_match(registered, "http://127.0.0.1:51004/callback"));
        assert!(loopback_match("http://[::1]:8000/cb", "http://[::1]:9/cb"));
        for given in [
            "http://localhost:51004/callback",
            "http://127.0.0.1:51004/callback/",
            "http://127.0.0.1:51004/callback?a=b",
            "http://127.0.0.1:51004/x/../callback",
            "http://127.0.0.1:51004@evil.example/callback",
            "http://127.0.0.2:51004/callback",
            "https://127.0.0.1:51004/callback",
            "http://127.1:51004/callback",
        ] {
            assert!(!loopback_match(registered, given), "{given}");
        }
        assert!(!loopback_match("http://localhost/callback", "http://localhost:1/callback"));
        assert!(!loopback_match("https://app.example/callback", "https://app.example:1/callback"));
    }
}
