//! `/account/recovery-codes`.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use flows::{
    account::{
        access::AccountAccess,
        page_notice::PageNotice,
        recovery_sheet::{self, SheetChange},
    },
    login::goal::Page,
};
use keys::RecoveryCode;

use super::{
    account_form, address, enter, enter_post, kept, notice_of, redirect_with, sign_in_first,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        page,
    },
    view::account::{RecoveryCodesPage, SheetPage},
};

const PAGE: Page = Page::RECOVERY_CODES;
/// The parameter with a list that was just made.
pub(super) const SHEET: &str = "sheet";

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
    let notice = notice_of(&request, &access, &params);
    let sheet =
        params.get(SHEET).and_then(|sealed| recovery_sheet::open(&request.cx, &access, sealed));
    if let Some(codes) = sheet {
        if params.get("as") == Some("text") {
            return Ok(as_text(&app, &request, &access, &codes));
        }
        let sealed = params.get(SHEET).unwrap_or_default();
        let html = SheetPage {
            form: account_form(&request, &access, PAGE),
            kept: kept(&params),
            notice: text.account_notice(notice.as_ref()),
            codes,
            file: address(PAGE, &[(SHEET, sealed), ("as", "text")]),
            f: text.f,
        };
        return page::render_form(&html, &request);
    }
    let left = access.person.second_steps.recovery_codes;
    let html = RecoveryCodesPage {
        form: account_form(&request, &access, PAGE),
        kept: kept(&params),
        notice: text.account_notice(notice.as_ref()),
        left: text.f.l.tr("account-codes-count", &[("count", left.into())]),
        has_sheet: left > 0,
        has_method: access.person.second_steps.has_method(),
        is_fresh: access.is_fresh,
        f: text.f,
    };
    page::render_form(&html, &request)
}

/// To the page after a method was added; over a list that came with it, which is shown now alone.
pub(super) fn redirect_after_addition(
    request: &BrowserRequest,
    access: &AccountAccess,
    page: Page,
    (codes, notice): (Option<Vec<RecoveryCode>>, PageNotice),
) -> Result<Response, Failure> {
    let Some(codes) = codes else { return redirect_with(request, access, page, (notice, &[])) };
    let sheet = recovery_sheet::seal(&request.cx, access, &codes)?;
    redirect_with(request, access, PAGE, (notice, &[(SHEET, sheet.as_str())]))
}

/// The list as a text file.
fn as_text(
    app: &App,
    request: &BrowserRequest,
    access: &AccountAccess,
    codes: &[String],
) -> Response {
    let l = request.locale;
    let email = access.person.user.email.as_deref().unwrap_or_default();
    let words = [("brand", app.brand.name.as_str().into()), ("account", email.into())];
    let head = l.tr("sheet-file-head", &words);
    let text = format!("{head}\n\n{}\n\n{}\n", codes.join("\n"), l.t("sheet-once"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"recovery-codes.txt\""),
        ),
    ];
    (headers, text).into_response()
}

/// Makes a new list.
pub(in crate::http) async fn post(
    State(_): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let access = match enter_post(&request, &form, PAGE).await? {
        Ok(access) => access,
        Err(response) => return Ok(response),
    };
    if form.text("action") != "make" {
        return Ok(page::see_other(PAGE.path()));
    }
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    match recovery_sheet::make(cx, browser_context, &access).await? {
        SheetChange::Made(codes) => {
            let sheet = recovery_sheet::seal(cx, &access, &codes)?;
            Ok(page::see_other(&address(PAGE, &[(SHEET, &sheet)])))
        }
        SheetChange::SignInFirst => Ok(sign_in_first(PAGE)),
        SheetChange::NoOtherMethod => {
            redirect_with(&request, &access, PAGE, (PageNotice::NoOtherMethod, &[]))
        }
    }
}
