//! `/account/passkeys`.

use axum::{extract::State, response::Response};
use flows::{
    account::{
        access::AccountAccess,
        page_notice::PageNotice,
        passkeys::{self, PasskeyChange, PasskeyRefusal},
    },
    login::goal::Page,
    passkey::ceremony::PageCeremony,
};
use store::{PasskeyId, passkey::PasskeyRow};

use super::{
    account_form, enter, enter_post, kept, notice_of, recovery_codes::redirect_after_addition,
    redirect_with, sign_in_first,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        page,
    },
    view::{
        account::{PasskeyRow as Row, PasskeysPage},
        messages::PageText,
    },
};

const PAGE: Page = Page::PASSKEYS;

pub(in crate::http) async fn get(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let access = match enter(&app, &request, &params, PAGE).await? {
        Ok(access) => access,
        Err(response) => return Ok(response),
    };
    let text = request.page_text(&app);
    let known = passkeys::list(&request.cx, &access).await?;
    let notice = notice_of(&request, &access, &params);
    let only = known.len() == 1 && access.person.second_steps.totp_apps == 0;
    let html = PasskeysPage {
        form: account_form(&request, &access, PAGE),
        kept: kept(&params),
        problems: text.account_problems(notice.as_ref()),
        notice: text.account_notice(notice.as_ref()),
        passkeys: known.iter().map(|passkey| row(&text, passkey)).collect(),
        is_only: only,
        is_fresh: access.is_fresh,
        ceremony: passkeys::begin(&request.cx, &access, &known)?
            .map(|PageCeremony { sealed, options }| (sealed, options)),
        f: text.f,
    };
    page::render_form(&html, &request)
}

fn row(text: &PageText<'_>, passkey: &PasskeyRow) -> Row {
    let l = text.f.l;
    let name = ("name", passkey.name.as_str().into());
    Row {
        id: passkey.id.to_string(),
        name: passkey.name.clone(),
        used: if passkey.uses == 0 {
            l.tr("passkeys-unused", &[("day", text.day(passkey.created_at).into())])
        } else {
            l.tr("apps-used", &[("day", text.day(passkey.last_used_at).into())])
        },
        place: l.t(if passkey.synced { "passkeys-synced" } else { "passkeys-one-device" }),
        change: l.tr("apps-change", std::slice::from_ref(&name)),
        remove: l.tr("apps-remove", &[name]),
    }
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
        "continue" => confirm(&request, &access, &form).await,
        "rename" | "remove" => change(&request, &access, &form).await,
        _ => Ok(page::see_other(PAGE.path())),
    }
}

async fn confirm(
    request: &BrowserRequest,
    access: &AccountAccess,
    form: &Form,
) -> Result<Response, Failure> {
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    let posted = (form.text("ceremony"), form.text("answer"));
    match passkeys::confirm(cx, browser_context, access, posted).await? {
        PasskeyChange::Done(codes) => {
            redirect_after_addition(request, access, PAGE, (codes, PageNotice::PasskeyAdded))
        }
        PasskeyChange::SignInFirst => Ok(sign_in_first(PAGE)),
        PasskeyChange::Refused(refusal) => refused(request, access, refusal),
    }
}

async fn change(
    request: &BrowserRequest,
    access: &AccountAccess,
    form: &Form,
) -> Result<Response, Failure> {
    let Ok(id) = form.text("passkey").parse::<PasskeyId>() else {
        return Ok(page::see_other(PAGE.path()));
    };
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    let (outcome, notice) = if form.text("action") == "remove" {
        let removed = passkeys::remove(cx, browser_context, access, id).await?;
        (removed, PageNotice::PasskeyRemoved)
    } else {
        let name = form.text("name");
        let renamed = passkeys::rename(cx, browser_context, access, id, name).await?;
        (renamed, PageNotice::AppRenamed)
    };
    match outcome {
        PasskeyChange::Done(()) => redirect_with(request, access, PAGE, (notice, &[])),
        PasskeyChange::SignInFirst => Ok(sign_in_first(PAGE)),
        PasskeyChange::Refused(refusal) => refused(request, access, refusal),
    }
}

fn refused(
    request: &BrowserRequest,
    access: &AccountAccess,
    refusal: PasskeyRefusal,
) -> Result<Response, Failure> {
    redirect_with(request, access, PAGE, (PageNotice::PasskeyRefused(refusal), &[]))
}
