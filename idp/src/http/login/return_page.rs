//! The page that ends a sign-in at the client (decision 31): a redirect as the answer to a post would be held to the policy
//! of the page that was posted, wherever the client leads on to.

use std::borrow::Cow;

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue},
    response::{Html, IntoResponse, Response},
};
use flows::authorize::ClientRedirect;
use url::Url;

use super::client_name;
use crate::{
    app::App,
    http::{error::Failure, extract::BrowserRequest, page},
    view::{Frame, ReturnPage},
};

const REFRESH: HeaderName = HeaderName::from_static("refresh");

/// The page that leads back to a client at once, in place of itself in the history.
pub(in crate::http) fn render(
    app: &App,
    request: &BrowserRequest,
    to: &ClientRedirect,
) -> Result<Response, Failure> {
    render_to(app, request, &to.location, client_name(request, &to.client_id))
}

/// The same for an address, and the name of what is there.
pub(in crate::http) fn render_to(
    app: &App,
    request: &BrowserRequest,
    location: &str,
    name: &str,
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let unusable = || Failure::Internal("an address is not a valid header value".to_owned());
    let location = ascii_address(location).ok_or_else(unusable)?;
    let html = ReturnPage {
        title: f.l.tr("return-title", &[("client", name.into())]),
        link: f.l.tr("return-link", &[("client", name.into())]),
        location: &location,
        // A phone opens an app by itself only soon after a touch (decision 31), so its link is there at once.
        is_app: !location.starts_with("https://") && !location.starts_with("http://"),
        f,
    };
    let refresh = HeaderValue::try_from(format!("0;url={location}")).map_err(|_| unusable())?;
    let mut response = Html(html.render()?).into_response();
    response.headers_mut().insert(REFRESH, refresh);
    page::set_content_language(&mut response, request.locale);
    Ok(response)
}

/// An address in ASCII. A browser reads other bytes of `Refresh` as Latin-1, and would go to another host with the code.
fn ascii_address(location: &str) -> Option<Cow<'_, str>> {
    if location.is_ascii() {
        return Some(Cow::Borrowed(location));
    }
    let address = String::from(Url::parse(location).ok()?);
    address.is_ascii().then_some(Cow::Owned(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_sent_in_ascii() {
        for (location, sent) in [
            ("https://lab.example/cb?code=a&iss=b", "https://lab.example/cb?code=a&iss=b"),
            ("https://for\u{ea}t.example/p\u{101}nui", "https://xn--fort-ipa.example/p%C4%81nui"),
            ("org.example.app:/r\u{fc}ck", "org.example.app:/r%C3%BCck"),
        ] {
            assert_eq!(ascii_address(location).as_deref(), Some(sent));
        }
    }
}
