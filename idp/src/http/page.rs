//! The responses with pages: rendered, with their language and cookies.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use flows::Trace;
use store::Timestamp;

use super::{error::Failure, extract::BrowserRequest};
use crate::{
    app::App,
    locale::Locale,
    view::{FailurePage, Frame, NoticePage, messages::PageText},
};

/// A redirect that the browser follows with GET, whatever the request's method (RFC 9700, section 4.12).
pub(super) fn see_other(to: &str) -> Response {
    match HeaderValue::try_from(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => {
            Failure::Internal("an address is not a valid header value".to_owned()).into_response()
        }
    }
}

/// A page with one notice, by its name.
pub(super) fn render_notice(
    app: &App,
    request: &BrowserRequest,
    name: &str,
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let (page, title, text) = find_page(&NOTICES, name)?;
    let detail = NOTICE_DETAILS.iter().find(|(page, _)| *page == name);
    let detail = detail.map(|(_, key)| f.l.t(key));
    let html = NoticePage { page, title: f.l.t(title), text: f.l.t(text), detail, f };
    let mut response = Html(html.render()?).into_response();
    set_content_language(&mut response, request.locale);
    set_cookie(&mut response, request.new_language_cookie.clone());
    Ok(response)
}

/// A page with a form.
pub(super) fn render_form(
    page: &impl Template,
    request: &BrowserRequest,
) -> Result<Response, Failure> {
    let mut response = Html(page.render()?).into_response();
    set_content_language(&mut response, request.locale);
    set_cookie(&mut response, request.new_browser_cookie.clone());
    set_cookie(&mut response, request.new_language_cookie.clone());
    Ok(response)
}

/// Adds a cookie.
pub(super) fn set_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Sets `Content-Language` (RFC 9110, section 8.5).
pub(super) fn set_content_language(response: &mut Response, locale: Locale) {
    let language = HeaderValue::from_static(locale.tag());
    response.headers_mut().insert(header::CONTENT_LANGUAGE, language);
}

/// The page of a failure.
pub(super) fn render_failure(
    app: &App,
    trace: &Trace,
    locale: Locale,
    failure: &Failure,
) -> Response {
    let f = Frame::of(&app.brand, locale);
    let text = PageText { f, zone: app.time_zone(), now: app.clock.now() };
    let failure_text = FailureText::new(failure, |until| text.when(until));
    let page = failure_page(f, app.issuer.authority(), &trace.reference, &failure_text);
    match page.and_then(|page| Ok(page.render()?)) {
        Ok(html) => {
            let mut response = (failure.status(), Html(html)).into_response();
            set_content_language(&mut response, locale);
            response
        }
        Err(error) => {
            let (error, reference) = (error.detail(), &trace.reference);
            tracing::error!(error, reference, "the page of a failure could not be rendered");
            failure.status().into_response()
        }
    }
}

/// The contents of the page of a failure.
struct FailureText {
    /// The name of the page.
    name: &'static str,
    /// For the developers of the client.
    detail: Option<&'static str>,
    /// The network that has to wait, and until when.
    rate_limited: Option<(String, String)>,
}

impl FailureText {
    fn new(failure: &Failure, when: impl Fn(Timestamp) -> String) -> Self {
        let detail = match failure {
            Failure::UntrustedRequest(why) => Some(*why),
            _ => None,
        };
        let rate_limited = match failure {
            Failure::RateLimited(limit, _) => Some((limit.size.to_string(), when(limit.until))),
            _ => None,
        };
        Self { name: page_name(failure), detail, rate_limited }
    }
}

/// The page of an earlier failure in another language. Nothing fails now, and the time to wait is no longer known.
pub(super) fn render_failure_again(
    app: &App,
    request: &BrowserRequest,
    name: &str,
    reference: &str,
) -> Result<Response, Failure> {
    let (name, ..) = find_page(&FAILURES, name)?;
    let failure_text = FailureText { name, detail: None, rate_limited: None };
    let f = Frame::of(&app.brand, request.locale);
    let page = failure_page(f, app.issuer.authority(), reference, &failure_text)?;
    let mut response = Html(page.render()?).into_response();
    set_content_language(&mut response, request.locale);
    Ok(response)
}

fn failure_page<'a>(
    f: Frame<'a>,
    host: &str,
    reference: &'a str,
    failure_text: &FailureText,
) -> Result<FailurePage<'a>, Failure> {
    let (page, title, text) = find_page(&FAILURES, failure_text.name)?;
    let text = match &failure_text.rate_limited {
        Some((network, when)) => {
            let words = [("network", network.into()), ("when", when.into())];
            f.l.tr("failure-many-until-text", &words)
        }
        None => f.l.tr(text, &[("host", host.into())]),
    };
    Ok(FailurePage { page, title: f.l.t(title), text, detail: failure_text.detail, reference, f })
}

/// The name of a page, and the keys of its title and its text.
type PageKeys = (&'static str, &'static str, &'static str);

const NOTICES: [PageKeys; 4] = [
    ("signed_out", "signed-out-title", "signed-out-text"),
    ("signed_out_not_registered", "signed-out-title", "signed-out-text"),
    ("signed_out_without_hint", "signed-out-title", "signed-out-text"),
    ("still", "still-title", "still-text"),
];

/// What some notices say to the developers of the client.
const NOTICE_DETAILS: [(&str, &str); 2] = [
    ("signed_out_not_registered", "signed-out-not-registered"),
    ("signed_out_without_hint", "signed-out-without-hint"),
];

const FAILURES: [PageKeys; 17] = [
    ("request", "failure-request-title", "failure-request-text"),
    ("start", "failure-start-title", "failure-start-text"),
    ("not_found", "failure-not-found-title", "failure-not-found-text"),
    ("method", "failure-method-title", "failure-method-text"),
    ("forbidden", "failure-forbidden-title", "failure-forbidden-text"),
    ("cookies", "failure-cookies-title", "failure-cookies-text"),
    ("form", "failure-form-title", "failure-form-text"),
    ("large", "failure-large-title", "failure-large-text"),
    ("slow", "failure-slow-title", "failure-slow-text"),
    ("speculative", "failure-speculative-title", "failure-speculative-text"),
    ("misdirected", "failure-misdirected-title", "failure-misdirected-text"),
    ("many", "failure-many-title", "failure-many-text"),
    ("network", "failure-network-title", "failure-network-text"),
    ("busy", "failure-busy-title", "failure-busy-text"),
    ("away", "failure-away-title", "failure-away-text"),
    ("internal", "failure-internal-title", "failure-internal-text"),
    ("unknown", "failure-unknown-title", "failure-unknown-text"),
];

fn find_page(pages: &[PageKeys], name: &str) -> Result<PageKeys, Failure> {
    pages.iter().find(|(page, ..)| *page == name).copied().ok_or(Failure::NotFound)
}

const fn page_name(failure: &Failure) -> &'static str {
    match failure {
        // An OAuth error is rendered for its client, not as a page.
        Failure::UntrustedRequest(_) | Failure::OAuth(_) => "request",
        Failure::StartAgain => "start",
        Failure::NotFound => "not_found",
        Failure::MethodNotAllowed => "method",
        Failure::Forbidden => "forbidden",
        Failure::CookiesBlocked => "cookies",
        Failure::NotAForm => "form",
        Failure::TooLarge => "large",
        Failure::TooSlow => "slow",
        Failure::Speculative => "speculative",
        Failure::Misdirected => "misdirected",
        Failure::RateLimited(..) => "many",
        Failure::UnknownNetwork => "network",
        Failure::Busy(_) => "busy",
        Failure::Unavailable(_) => "away",
        Failure::Internal(_) => "internal",
        Failure::OutcomeUnknown(_) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flows::network::{NetworkSize, RateLimited};

    use super::*;
    use crate::view::page_checks::{assert_valid_page, frame_per_locale};

    fn every_failure() -> Vec<Failure> {
        let soon = Duration::from_secs(1);
        let until = Timestamp::from_millis(0);
        let rate_limited = RateLimited { size: NetworkSize::Ipv6Slash48, until };
        let all = vec![
            Failure::UntrustedRequest("redirect_uri is not registered for this client"),
            Failure::StartAgain,
            Failure::NotFound,
            Failure::MethodNotAllowed,
            Failure::Forbidden,
            Failure::CookiesBlocked,
            Failure::NotAForm,
            Failure::TooLarge,
            Failure::TooSlow,
            Failure::Speculative,
            Failure::Misdirected,
            Failure::RateLimited(rate_limited, soon),
            Failure::UnknownNetwork,
            Failure::Busy(soon),
            Failure::Unavailable("10.0.0.7 does not answer".to_owned()),
            Failure::Internal("the database at 10.0.0.7 is unavailable".to_owned()),
            Failure::OutcomeUnknown("connection reset by 10.0.0.7".to_owned()),
        ];
        let kinds: std::collections::HashSet<_> = all.iter().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 17, "each variant once");
        all
    }

    fn html(f: Frame<'static>, failure: &Failure) -> String {
        let failure_text = FailureText::new(failure, |_| "9:41 am".to_owned());
        failure_page(f, "login.example.org", "K4M9TX", &failure_text).unwrap().render().unwrap()
    }

    #[test]
    fn failure_pages_show_reference() {
        for f in frame_per_locale() {
            let mut titles = std::collections::BTreeSet::new();
            for failure in every_failure() {
                let html = html(f, &failure);
                assert_valid_page(&html, f.l);
                assert!(html.contains("<strong>K4M9TX</strong>"), "{html}");
                // Details of our side are logged, and are not on the page.
                assert!(!html.contains("10.0.0.7"), "{html}");
                titles.insert(find_page(&FAILURES, page_name(&failure)).unwrap().1);
            }
            assert_eq!(titles.len(), 17, "no two failures have the same title");
        }
    }

    #[test]
    fn untrusted_request_page_shows_reason() {
        let [english, maori] = frame_per_locale()
            .map(|f| html(f, &Failure::UntrustedRequest("redirect_uri is missing")));
        assert!(english.contains("<h1>This request cannot be completed</h1>"), "{english}");
        assert!(maori.contains("<span lang=\"en\">redirect_uri is missing.</span>"), "{maori}");
    }
}
