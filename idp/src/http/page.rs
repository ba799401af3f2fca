//! How a page leaves: rendered, with what its form may lead to, and with its cookies.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use flows::Trace;
use store::Timestamp;

use super::{csp, error::Failure, extract::BrowserRequest};
use crate::{
    app::App,
    locale::Locale,
    view::{FailurePage, Frame, NoticePage, messages::PageText},
};

/// A redirect that is a GET, whatever it answers (RFC 9700, section 4.12).
pub(super) fn see_other(to: &str) -> Response {
    match HeaderValue::try_from(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => {
            Failure::Internal("an address cannot stand in a header".to_owned()).into_response()
        }
    }
}

/// A page that says one thing, by its name.
pub(super) fn notice(app: &App, request: &BrowserRequest, name: &str) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let (page, title, text) = find(&NOTICES, name)?;
    let html = NoticePage { page, title: f.l.t(title), text: f.l.t(text), f };
    let mut response = Html(html.render()?).into_response();
    speaks(&mut response, request.locale);
    set_cookie(&mut response, request.new_choice.clone());
    Ok(response)
}

/// A page with a form, whose post may end in a redirect to `source` (decision 18).
pub(super) fn form(
    page: &impl Template,
    status: StatusCode,
    source: Option<&str>,
    request: &BrowserRequest,
) -> Result<Response, Failure> {
    let mut response = (status, Html(page.render()?)).into_response();
    if let Some(source) = source {
        let policy = HeaderValue::try_from(csp::with_form_action(source))
            .map_err(|_| Failure::Internal("a redirect URI cannot stand in a policy".to_owned()))?;
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    speaks(&mut response, request.locale);
    set_cookie(&mut response, request.new_browser.clone());
    set_cookie(&mut response, request.new_choice.clone());
    Ok(response)
}

/// Adds a cookie.
pub(super) fn set_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Says in which language a page is (RFC 9110, section 8.5).
fn speaks(response: &mut Response, locale: Locale) {
    let language = HeaderValue::from_static(locale.tag());
    response.headers_mut().insert(header::CONTENT_LANGUAGE, language);
}

/// The page of a request that has no answer.
pub(super) fn failure(app: &App, trace: &Trace, locale: Locale, failure: &Failure) -> Response {
    let f = Frame::of(&app.brand, locale);
    let text = PageText { f, zone: app.zone(), now: app.clock.now() };
    let said = FailureText::of(failure, |until| text.when(until));
    let page = failure_page(f, &trace.reference, &said);
    match page.and_then(|page| Ok(page.render()?)) {
        Ok(html) => {
            let mut response = (failure.status(), Html(html)).into_response();
            speaks(&mut response, locale);
            response
        }
        Err(error) => {
            let (error, reference) = (error.detail(), &trace.reference);
            tracing::error!(error, reference, "the page of a failure does not render");
            failure.status().into_response()
        }
    }
}

/// What the page of a failure says.
struct FailureText {
    /// The name of the page.
    name: &'static str,
    /// For the developers of the client.
    detail: Option<&'static str>,
    /// The network that has to wait, and until when.
    crowded: Option<(String, String)>,
}

impl FailureText {
    fn of(failure: &Failure, when: impl Fn(Timestamp) -> String) -> Self {
        let detail = match failure {
            Failure::Request(why) => Some(*why),
            _ => None,
        };
        let crowded = match failure {
            Failure::TooMany(crowded, _) => Some((crowded.size.to_string(), when(crowded.until))),
            _ => None,
        };
        Self { name: name(failure), detail, crowded }
    }
}

/// The page of a failure that was shown before, in another language: nothing fails now, and how long there was to wait is
/// not known any more.
pub(super) fn failure_again(
    app: &App,
    request: &BrowserRequest,
    name: &str,
    reference: &str,
) -> Result<Response, Failure> {
    let (name, ..) = find(&FAILURES, name)?;
    let said = FailureText { name, detail: None, crowded: None };
    let page = failure_page(Frame::of(&app.brand, request.locale), reference, &said)?;
    let mut response = Html(page.render()?).into_response();
    speaks(&mut response, request.locale);
    Ok(response)
}

fn failure_page<'a>(
    f: Frame<'a>,
    reference: &'a str,
    said: &FailureText,
) -> Result<FailurePage<'a>, Failure> {
    let (page, title, text) = find(&FAILURES, said.name)?;
    let text = match &said.crowded {
        Some((network, when)) => {
            let words = [("network", network.into()), ("when", when.into())];
            f.l.tr("failure-many-until-text", &words)
        }
        None => f.l.t(text).to_owned(),
    };
    Ok(FailurePage { page, title: f.l.t(title), text, detail: said.detail, reference, f })
}

/// The name of a page, and the keys of its title and its text.
type Words = (&'static str, &'static str, &'static str);

const NOTICES: [Words; 2] =
    [("signed_out", "signed-out-title", "signed-out-text"), ("still", "still-title", "still-text")];

const FAILURES: [Words; 15] = [
    ("request", "failure-request-title", "failure-request-text"),
    ("start", "failure-start-title", "failure-start-text"),
    ("not_found", "failure-not-found-title", "failure-not-found-text"),
    ("method", "failure-method-title", "failure-method-text"),
    ("forbidden", "failure-forbidden-title", "failure-forbidden-text"),
    ("form", "failure-form-title", "failure-form-text"),
    ("large", "failure-large-title", "failure-large-text"),
    ("slow", "failure-slow-title", "failure-slow-text"),
    ("misdirected", "failure-misdirected-title", "failure-misdirected-text"),
    ("many", "failure-many-title", "failure-many-text"),
    ("network", "failure-network-title", "failure-network-text"),
    ("busy", "failure-busy-title", "failure-busy-text"),
    ("away", "failure-away-title", "failure-away-text"),
    ("internal", "failure-internal-title", "failure-internal-text"),
    ("unknown", "failure-unknown-title", "failure-unknown-text"),
];

fn find(words: &[Words], name: &str) -> Result<Words, Failure> {
    words.iter().find(|(page, ..)| *page == name).copied().ok_or(Failure::NotFound)
}

const fn name(failure: &Failure) -> &'static str {
    match failure {
        // An OAuth error is rendered for its client, and on no page.
        Failure::Request(_) | Failure::OAuth(_) => "request",
        Failure::StartAgain => "start",
        Failure::NotFound => "not_found",
        Failure::Method => "method",
        Failure::Forbidden => "forbidden",
        Failure::NotAForm => "form",
        Failure::TooLarge => "large",
        Failure::TooSlow => "slow",
        Failure::Misdirected => "misdirected",
        Failure::TooMany(..) => "many",
        Failure::UnknownNetwork => "network",
        Failure::Busy(_) => "busy",
        Failure::Away(_) => "away",
        Failure::Internal(_) => "internal",
        Failure::Unknown(_) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flows::network::{NetworkSize, RateLimited};

    use super::*;
    use crate::view::sound::{assert_sound, frames};

    fn every_failure() -> Vec<Failure> {
        let soon = Duration::from_secs(1);
        let until = Timestamp::from_millis(0);
        let crowded = RateLimited { size: NetworkSize::Ipv6Slash48, until };
        let all = vec![
            Failure::Request("redirect_uri is not registered for this client"),
            Failure::StartAgain,
            Failure::NotFound,
            Failure::Method,
            Failure::Forbidden,
            Failure::NotAForm,
            Failure::TooLarge,
            Failure::TooSlow,
            Failure::Misdirected,
            Failure::TooMany(crowded, soon),
            Failure::UnknownNetwork,
            Failure::Busy(soon),
            Failure::Away("10.0.0.7 does not answer".to_owned()),
            Failure::Internal("the database at 10.0.0.7 is away".to_owned()),
            Failure::Unknown("connection reset by 10.0.0.7".to_owned()),
        ];
        let kinds: std::collections::HashSet<_> = all.iter().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 15, "each variant once");
        all
    }

    fn html(f: Frame<'static>, failure: &Failure) -> String {
        let said = FailureText::of(failure, |_| "9:41 am".to_owned());
        failure_page(f, "K4M9TX", &said).unwrap().render().unwrap()
    }

    #[test]
    fn failure_pages_show_reference() {
        for f in frames() {
            let mut titles = std::collections::BTreeSet::new();
            for failure in every_failure() {
                let html = html(f, &failure);
                assert_sound(&html, f.l);
                assert!(html.contains("<strong>K4M9TX</strong>"), "{html}");
                // What the log says about our side is not for the page.
                assert!(!html.contains("10.0.0.7"), "{html}");
                titles.insert(find(&FAILURES, name(&failure)).unwrap().1);
            }
            assert_eq!(titles.len(), 15, "no two failures have the same words");
        }
    }

    #[test]
    fn untrusted_request_page_shows_reason() {
        let [english, maori] =
            frames().map(|f| html(f, &Failure::Request("redirect_uri is missing")));
        assert!(english.contains("<h1>This request cannot be completed</h1>"), "{english}");
        assert!(maori.contains("<span lang=\"en\">redirect_uri is missing.</span>"), "{maori}");
    }
}
