//! The browser and the system of a request, coarsely: enough for a person to see that it was not theirs, and no more.
//!
//! The result consists of our own names, never of a text that a browser sent (misuse case 49).

use axum::http::{HeaderMap, header};

/// The order decides: nearly every browser claims to be most of the others too.
const BROWSERS: [(&str, &str); 11] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// How many bytes of the header are read; it may be as long as all headers together.
const MAX_LENGTH: usize = 512;

/// `Firefox/Windows`; none if either is unknown.
#[must_use]
pub fn browser_and_system(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    let text = text.get(..MAX_LENGTH).unwrap_or(text);
    let name = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name)
    };
    Some(format!("{}/{}", name(&BROWSERS)?, name(&SYSTEMS)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, text.parse().unwrap());
        browser_and_system(&headers)
    }

    #[test]
    fn common_browsers_are_recognised() {
        const WEBKIT: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (text, name) in [
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36"),
                "Chrome/Windows",
            ),
            (
                format!(
                    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"
                ),
                "Edge/Windows",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
                "Firefox/Linux",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.6 Mobile/15E148 Safari/604.1"
                    .to_owned(),
                "Safari/iPhone",
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36"),
                "Samsung Internet/Android",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.6 Safari/605.1.15"
                    .to_owned(),
                "Safari/macOS",
            ),
        ] {
            assert_eq!(of(&text).as_deref(), Some(name), "{text}");
        }
    }

    #[test]
    fn unknown_user_agent_is_omitted() {
        for text in [
            "curl/8.0",
            "Firefox/1 on Toaster",
            "Your account is locked, call 09 123 4567 Windows",
            "",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(of(&format!("{}Firefox/1 Linux", "x".repeat(4096))), None);
        assert_eq!(browser_and_system(&HeaderMap::new()), None);
    }
}
