//! `/account`: what an account has, and the way to each page that looks after it.

use axum::{extract::State, response::Response};
use flows::{
    account::{
        access::AccountAccess,
        email_codes::{self, EmailCodesChange},
        page_notice::PageNotice,
    },
    login::goal::Page,
};

use super::{account_form, enter, enter_post, kept, notice_of, redirect_with, sign_in_first};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        page,
    },
    view::{Frame, account::OverviewPage},
};

const PAGE: Page = Page::ACCOUNT;

pub(in crate::http) async fn get(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let access = match enter(&app, &request, &params, PAGE).await? {
        Ok(access) => access,
        Err(response) => return Ok(response),
    };
    let notice = notice_of(&request, &access, &params);
    let f = Frame::of(&app.brand, request.locale);
    let form = account_form(&request, &access, PAGE);
    let html = overview_page(f, form, kept(&params), &access, notice.as_ref());
    page::render_form(&html, &request)
}

fn overview_page<'a>(
    f: Frame<'a>,
    form: crate::view::account::AccountForm,
    kept: std::borrow::Cow<'static, str>,
    access: &'a AccountAccess,
    notice: Option<&PageNotice>,
) -> OverviewPage<'a> {
    let steps = &access.person.second_steps;
    let email_codes = steps.email_codes_off_since.is_none();
    OverviewPage {
        form,
        kept,
        notice: notice.and_then(|notice| match notice {
            PageNotice::EmailCodes(true) => Some(f.l.t("account-email-on")),
            PageNotice::EmailCodes(false) => Some(f.l.t("account-email-off")),
            PageNotice::EmailCodesNeeded => Some(f.l.t("account-email-needed")),
            _ => None,
        }),
        name: &access.person.user.name,
        email: access.person.user.email.as_deref().unwrap_or_default(),
        apps: f.l.tr("account-apps-count", &[("count", steps.totp_apps.into())]),
        passkeys: f.l.tr("account-passkeys-count", &[("count", steps.passkeys.into())]),
        codes: f.l.tr("account-codes-count", &[("count", steps.recovery_codes.into())]),
        has_method: steps.has_method(),
        email_codes,
        can_leave_out: email_codes::can_be_left_out(&access.person.second_steps),
        f,
    }
}

/// Codes by e-mail, or no longer.
pub(in crate::http) async fn post(
    State(_): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let access = match enter_post(&request, &form, PAGE).await? {
        Ok(access) => access,
        Err(response) => return Ok(response),
    };
    let wanted = match form.text("action") {
        "email-on" => true,
        "email-off" => false,
        _ => return Ok(page::see_other(PAGE.path())),
    };
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    let notice = match email_codes::set(cx, browser_context, &access, wanted).await? {
        EmailCodesChange::Done => PageNotice::EmailCodes(wanted),
        EmailCodesChange::NeedsAnotherWay => PageNotice::EmailCodesNeeded,
        EmailCodesChange::SignInFirst => return Ok(sign_in_first(PAGE)),
    };
    redirect_with(&request, &access, PAGE, (notice, &[]))
}
