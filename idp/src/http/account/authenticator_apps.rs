//! `/account/authenticator-apps`.

use axum::{extract::State, response::Response};
use flows::{
    account::{
        access::AccountAccess,
        authenticator_apps::{self, AppChange, AppRefusal},
        page_notice::PageNotice,
    },
    login::goal::Page,
    request::Params,
};
use store::TotpAppId;

use super::{
    account_form, address, enter, enter_post, kept, notice_of, qr_code,
    recovery_codes::redirect_after_addition, redirect_with, sign_in_first,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        page,
    },
    view::account::{AppRow, AppsPage, EnrolmentPage},
};

const PAGE: Page = Page::AUTHENTICATOR_APPS;
/// The parameter with an enrolment that is not finished.
pub(super) const ENROLMENT: &str = "enrolment";

pub(in crate::http) async fn get(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let access = match enter(&app, &request, &params, PAGE).await? {
        Ok(access) => access,
        Err(response) => return Ok(response),
    };
    match params.get(ENROLMENT) {
        Some(sealed) => enrolment_page(&app, &request, &access, (&params, sealed)).await,
        None => apps_page(&app, &request, &access, &params).await,
    }
}

async fn apps_page(
    app: &App,
    request: &BrowserRequest,
    access: &AccountAccess,
    params: &Params,
) -> Result<Response, Failure> {
    let text = request.page_text(app);
    let apps = authenticator_apps::list(&request.cx, access).await?;
    let rows = apps.iter().map(|known| AppRow {
        id: known.id.to_string(),
        name: known.name.clone(),
        used: text.f.l.tr("apps-used", &[("day", text.day(known.last_used_at).into())]),
        change: text.f.l.tr("apps-change", &[("name", known.name.as_str().into())]),
        remove: text.f.l.tr("apps-remove", &[("name", known.name.as_str().into())]),
    });
    let notice = notice_of(request, access, params);
    let limit = request.cx.settings.totp_apps;
    let html = AppsPage {
        form: account_form(request, access, PAGE),
        kept: kept(params),
        problems: text.account_problems(notice.as_ref()),
        notice: text.account_notice(notice.as_ref()),
        can_add: i64::try_from(apps.len()).is_ok_and(|count| count < limit),
        is_only: apps.len() == 1 && access.person.second_steps.passkeys == 0,
        apps: rows.collect(),
        is_fresh: access.is_fresh,
        f: text.f,
    };
    page::render_form(&html, request)
}

async fn enrolment_page(
    app: &App,
    request: &BrowserRequest,
    access: &AccountAccess,
    (params, sealed): (&Params, &str),
) -> Result<Response, Failure> {
    let Some(enrolment) = authenticator_apps::open(&request.cx, access, sealed).await? else {
        let over = PageNotice::AppRefused(AppRefusal::Over, String::new());
        return redirect_with(request, access, PAGE, (over, &[]));
    };
    let text = request.page_text(app);
    let account = access.person.user.email.as_deref().unwrap_or_default();
    let url = enrolment.secret.otpauth_url(&app.brand.name, account);
    let notice = notice_of(request, access, params);
    let typed = match &notice {
        Some(PageNotice::AppRefused(_, name)) => name.clone(),
        _ => text.f.l.t("apps-name-first").to_owned(),
    };
    let html = EnrolmentPage {
        form: account_form(request, access, PAGE),
        kept: kept(params),
        problems: text.account_problems(notice.as_ref()),
        qr: qr_code::modules(&url),
        url,
        key: grouped(&enrolment.secret.to_base32()),
        enrolment: sealed,
        name: typed,
        f: text.f,
    };
    page::render_form(&html, request)
}

/// A key in groups of four, as it is copied by hand.
fn grouped(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    let groups = letters.chunks(4).map(|group| group.iter().collect::<String>());
    groups.collect::<Vec<_>>().join(" ")
}

pub(in crate::http) async fn post(
    State(_): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let access = match enter_post(&request, &form, PAGE).await? {
        Ok(access) => access,
        Err(response) => return Ok(response),
    };
    match form.text("action") {
        "add" => add(&request, &access),
        "confirm" => confirm(&request, &access, &form).await,
        "rename" | "remove" => change(&request, &access, &form).await,
        _ => Ok(page::see_other(PAGE.path())),
    }
}

fn add(request: &BrowserRequest, access: &AccountAccess) -> Result<Response, Failure> {
    match authenticator_apps::begin(&request.cx, access)? {
        AppChange::Done(sealed) => Ok(page::see_other(&address(PAGE, &[(ENROLMENT, &sealed)]))),
        AppChange::SignInFirst => Ok(sign_in_first(PAGE)),
        AppChange::Refused(refusal) => refused(request, access, refusal, ("", &[])),
    }
}

async fn confirm(
    request: &BrowserRequest,
    access: &AccountAccess,
    form: &Form,
) -> Result<Response, Failure> {
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    let (sealed, name) = (form.text(ENROLMENT), form.text("name"));
    let typed = (form.text("code"), name);
    match authenticator_apps::confirm(cx, browser_context, access, sealed, typed).await? {
        AppChange::Done(codes) => {
            redirect_after_addition(request, access, PAGE, (codes, PageNotice::AppAdded))
        }
        AppChange::SignInFirst => Ok(sign_in_first(PAGE)),
        AppChange::Refused(AppRefusal::Over) => {
            refused(request, access, AppRefusal::Over, ("", &[]))
        }
        AppChange::Refused(refusal) => {
            refused(request, access, refusal, (name, &[(ENROLMENT, sealed)]))
        }
    }
}

async fn change(
    request: &BrowserRequest,
    access: &AccountAccess,
    form: &Form,
) -> Result<Response, Failure> {
    let Ok(app) = form.text("app").parse::<TotpAppId>() else {
        return Ok(page::see_other(PAGE.path()));
    };
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    let (outcome, notice) = if form.text("action") == "remove" {
        let removed = authenticator_apps::remove(cx, browser_context, access, app).await?;
        (removed, PageNotice::AppRemoved)
    } else {
        let name = form.text("name");
        let renamed = authenticator_apps::rename(cx, browser_context, access, app, name).await?;
        (renamed, PageNotice::AppRenamed)
    };
    match outcome {
        AppChange::Done(()) => redirect_with(request, access, PAGE, (notice, &[])),
        AppChange::SignInFirst => Ok(sign_in_first(PAGE)),
        AppChange::Refused(refusal) => refused(request, access, refusal, ("", &[])),
    }
}

fn refused(
    request: &BrowserRequest,
    access: &AccountAccess,
    refusal: AppRefusal,
    (name, more): (&str, &[(&str, &str)]),
) -> Result<Response, Failure> {
    let notice = PageNotice::AppRefused(refusal, name.chars().take(100).collect());
    redirect_with(request, access, PAGE, (notice, more))
}
