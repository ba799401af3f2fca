//! How a page leaves: rendered, with what its form may lead to, and with its cookies.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use flows::Trace;
use store::Timestamp;

use super::{error::Failure, extract::Ask, layer::CSP, login::Voice};
use crate::{
    app::App,
    view::{FailurePage, Frame},
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

/// A page without a form.
pub(super) fn plain(page: &impl Template) -> Result<Response, Failure> {
    Ok(Html(page.render()?).into_response())
}

/// A page with a form, whose post may end in a redirect to `source` (decision 18).
pub(super) fn form(
    page: &impl Template,
    status: StatusCode,
    source: Option<&str>,
    ask: &Ask,
) -> Result<Response, Failure> {
    let mut response = (status, Html(page.render()?)).into_response();
    if let Some(source) = source {
        let policy = CSP.replace("form-action 'self'", &format!("form-action 'self' {source}"));
        let policy = HeaderValue::try_from(policy)
            .map_err(|_| Failure::Internal("a redirect URI cannot stand in a policy".to_owned()))?;
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    set_cookie(&mut response, ask.new_browser.clone());
    Ok(response)
}

/// Adds a cookie.
pub(super) fn set_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// The page of a request that has no answer.
pub(super) fn failure(app: &App, trace: &Trace, failure: &Failure) -> Response {
    let when = match failure {
        Failure::TooMany(crowded, _) => when(app, crowded.until),
        _ => String::new(),
    };
    match failure_page(Frame::of(app), &trace.reference, (failure, &when)).render() {
        Ok(html) => (failure.status(), Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, reference = trace.reference, "the page of a failure does not render");
            failure.status().into_response()
        }
    }
}

/// The clock time from which a limited network is heard again.
fn when(app: &App, until: Timestamp) -> String {
    Voice { f: Frame::of(app), zone: app.zone(), now: app.clock.now() }.from(until)
}

fn failure_page<'a>(
    f: Frame<'a>,
    reference: &'a str,
    (failure, when): (&Failure, &str),
) -> FailurePage<'a> {
    let (title, text) = words(failure);
    FailurePage {
        title: f.l.t(title),
        text: match failure {
            Failure::TooMany(crowded, _) => {
                let network = ("network", crowded.size.to_string().into());
                f.l.tr(text, &[network, ("when", when.into())])
            }
            _ => f.l.t(text).to_owned(),
        },
        detail: match failure {
            Failure::Request(why) => Some(why),
            _ => None,
        },
        reference,
        f,
    }
}

const fn words(failure: &Failure) -> (&'static str, &'static str) {
    match failure {
        Failure::Request(_) => ("failure-request-title", "failure-request-text"),
        Failure::StartAgain => ("failure-start-title", "failure-start-text"),
        Failure::NotFound => ("failure-not-found-title", "failure-not-found-text"),
        Failure::Method => ("failure-method-title", "failure-method-text"),
        Failure::Forbidden => ("failure-forbidden-title", "failure-forbidden-text"),
        Failure::NotAForm => ("failure-form-title", "failure-form-text"),
        Failure::TooLarge => ("failure-large-title", "failure-large-text"),
        Failure::TooSlow => ("failure-slow-title", "failure-slow-text"),
        Failure::Misdirected => ("failure-misdirected-title", "failure-misdirected-text"),
        Failure::TooMany(..) => ("failure-many-title", "failure-many-text"),
        Failure::UnknownNetwork => ("failure-network-title", "failure-network-text"),
        Failure::Busy(_) => ("failure-busy-title", "failure-busy-text"),
        Failure::Away(_) => ("failure-away-title", "failure-away-text"),
        Failure::Internal(_) => ("failure-internal-title", "failure-internal-text"),
        Failure::Unknown(_) => ("failure-unknown-title", "failure-unknown-text"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flows::network::{Crowded, Size};

    use super::*;
    use crate::view::sound::{FRAME, assert_sound};

    fn every_failure() -> Vec<Failure> {
        let soon = Duration::from_secs(1);
        let until = Timestamp::from_millis(0);
        let crowded = Crowded { size: Size::Ipv6Slash48, until };
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
        assert_eq!(kinds.len(), 14, "each variant once");
        all
    }

    #[test]
    fn every_failure_says_what_happened_and_has_its_reference() {
        let mut titles = std::collections::BTreeSet::new();
        for failure in every_failure() {
            let html = failure_page(FRAME, "K4M9TX", (&failure, "at 9:41 am")).render().unwrap();
            assert_sound(&html);
            assert!(html.contains("<strong>K4M9TX</strong>"), "{html}");
            // What the log is told about our side is not for the page.
            assert!(!html.contains("10.0.0.7"), "{html}");
            titles.insert(words(&failure).0);
        }
        assert_eq!(titles.len(), 14, "no two failures have the same words");
    }

    #[test]
    fn a_request_that_is_not_trusted_has_its_phrase() {
        let failure = Failure::Request("redirect_uri is missing");
        let html = failure_page(FRAME, "K4M9TX", (&failure, "at 9:41 am")).render().unwrap();
        assert!(html.contains("<h1>This request cannot be completed</h1>"), "{html}");
        assert!(html.contains("redirect_uri is missing"), "{html}");
    }
}
