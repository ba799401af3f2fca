//! The pages on which a person looks after their account. A GET shows a page; a post does one thing and redirects to a page
//! (post, redirect, get). Without a session the page of a sign-in stands in the place of the page, and leads to it.

pub(super) mod authenticator_apps;
pub(super) mod overview;
pub(super) mod passkeys;
mod qr_code;
pub(super) mod recovery_codes;

use std::borrow::Cow;

use axum::response::Response;
use flows::{
    account::{
        access::{self, AccountAccess},
        page_notice::PageNotice,
    },
    login::goal::Page,
    request::Params,
};

use super::{
    error::Failure,
    extract::{BrowserRequest, Form},
    login::password_page,
    page,
};
use crate::{app::App, view::account::AccountForm};

/// The parameter by which a page asks for a fresh sign-in.
const AGAIN: &str = "again";
/// The parameter with what a page says about the last post.
const NOTICE: &str = "notice";

/// Who is at a page; or the page of a sign-in that leads there.
async fn enter(
    app: &App,
    request: &BrowserRequest,
    params: &Params,
    page: Page,
) -> Result<Result<AccountAccess, Response>, Failure> {
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    let found = access::open(cx, browser_context).await?;
    let is_for_change = params.get(AGAIN).is_some();
    let email = match found {
        Some(access) if access.is_fresh || !is_for_change => return Ok(Ok(access)),
        Some(access) => access.person.user.email.unwrap_or_default(),
        None => String::new(),
    };
    let goal = if is_for_change { page.for_change() } else { page };
    let asked = access::sign_in_page(cx, browser_context, goal)?;
    Ok(Err(password_page::render_new_for(app, request, &asked, &email)?))
}

/// Who posts a form of a page; or the redirect to the page, if the form is not of this session.
async fn enter_post(
    request: &BrowserRequest,
    form: &Form,
    page: Page,
) -> Result<Result<AccountAccess, Response>, Failure> {
    if let Some(limit) = request.rate_limited {
        return Err(Failure::RateLimited(limit, limit.until.since(request.cx.now)));
    }
    if request.new_browser_cookie.is_some() {
        return Err(Failure::CookiesBlocked);
    }
    if form.0.duplicate().is_some() {
        return Err(Failure::NotAForm);
    }
    let token = form.text("form");
    if token.is_empty() {
        return Err(Failure::Forbidden);
    }
    let found = access::open(&request.cx, &request.browser_context).await?;
    let Some(access) = found else { return Ok(Err(page::see_other(page.path()))) };
    let (browser, session) = (&request.browser_context.browser, access.session.id.to_string());
    if request.cx.root.verify_form_token(token, browser, &session, page.path()) {
        Ok(Ok(access))
    } else {
        // The page is of another session of this browser: it is shown anew.
        Ok(Err(page::see_other(page.path())))
    }
}

/// The form of a page.
fn account_form(request: &BrowserRequest, access: &AccountAccess, page: Page) -> AccountForm {
    let (browser, session) = (&request.browser_context.browser, access.session.id.to_string());
    let token = request.cx.root.form_token(browser, &session, page.path());
    AccountForm { path: page.path(), name: page.name(), token }
}

/// To the page, which asks for a fresh sign-in first.
fn sign_in_first(page: Page) -> Response {
    page::see_other(&address(page, &[(AGAIN, "1")]))
}

/// To the page, with what it says.
fn redirect_with(
    request: &BrowserRequest,
    access: &AccountAccess,
    page: Page,
    (notice, more): (PageNotice, &[(&str, &str)]),
) -> Result<Response, Failure> {
    let sealed = notice.seal(&request.cx, access)?;
    let mut pairs = vec![(NOTICE, sealed.as_str())];
    pairs.extend(more);
    Ok(page::see_other(&address(page, &pairs)))
}

/// What the page says about the last post.
fn notice_of(
    request: &BrowserRequest,
    access: &AccountAccess,
    params: &Params,
) -> Option<PageNotice> {
    PageNotice::open(&request.cx, access, params.get(NOTICE)?)
}

fn address(page: Page, pairs: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    format!("{}?{}", page.path(), query.finish())
}

/// The parameters that a page in another language keeps.
const KEPT: [&str; 3] = [NOTICE, authenticator_apps::ENROLMENT, recovery_codes::SHEET];

/// The address of a page of an account by its name, for the switch of the language.
pub(super) fn address_of(name: &str, params: &Params) -> Option<String> {
    let page = Page::from_name(name)?;
    let pairs: Vec<_> = KEPT.iter().filter_map(|name| Some((*name, params.get(name)?))).collect();
    Some(if pairs.is_empty() { page.path().to_owned() } else { address(page, &pairs) })
}

/// The query with which the link to another language keeps what the page shows.
fn kept(params: &Params) -> Cow<'static, str> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in KEPT {
        if let Some(value) = params.get(name) {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { Cow::Borrowed("") } else { Cow::Owned(format!("&{query}")) }
}
