//! The page that ends a sign-in at the client (decision 31): a redirect as the answer to a post would be held to the policy
//! of the page that was posted, wherever the client leads on to.

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue},
    response::{Html, IntoResponse, Response},
};
use flows::authorize::ClientRedirect;

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
    let html = ReturnPage {
        title: f.l.tr("return-title", &[("client", name.into())]),
        location,
        // A phone opens an app by itself only soon after a touch (decision 31), so its link is there at once.
        is_app: !location.starts_with("https://") && !location.starts_with("http://"),
        f,
    };
    let refresh = HeaderValue::try_from(format!("0;url={location}"))
        .map_err(|_| Failure::Internal("an address is not a valid header value".to_owned()))?;
    let mut response = Html(html.render()?).into_response();
    response.headers_mut().insert(REFRESH, refresh);
    page::set_content_language(&mut response, request.locale);
    Ok(response)
}
