//! `/login/totp` and `/login/recovery-code`.

use axum::{extract::State, response::Response};
use flows::login::{
    HeldCodeView, follow,
    method::HeldMethod,
    recovery_code,
    refusal::{CodeRefusal, PageMessage},
    totp,
};

use super::{
    StepPage, code::paused_page, form_token::step_form, other_ways, step_post::answer_post,
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        page,
        step::{self, Step},
    },
    view::{HeldCodePage, StepForm, messages::PageText},
};

/// A post of either step.
pub(in crate::http) async fn post(
    State(app): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let step = request.step.ok_or(Failure::NotFound)?;
    let (cx, browser_context, typed) = (&request.cx, &request.browser_context, form.text("code"));
    let is_totp = step.path == step::TOTP.path;
    // Like a password, a recovery code is never put back: it is good for longer than the page.
    let kept = if is_totp { typed } else { "" };
    answer_post(&app, &request, &form, (step, kept), async |attempt| {
        if form.text("follow") == "session" {
            follow::continue_with_session(cx, browser_context, attempt).await
        } else if is_totp {
            totp::post(cx, browser_context, attempt, typed).await
        } else {
            recovery_code::post(cx, browser_context, attempt, typed).await
        }
    })
    .await
}

/// The page, with the code as it was typed.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &StepPage<'_>,
    view: HeldCodeView,
    message: Option<PageMessage<CodeRefusal>>,
) -> Result<Response, Failure> {
    let form = step_form(request, step_of(view.method), shown);
    let text = request.page_text(app);
    if let Some(until) = view.paused_until {
        return page::render_form(&paused_page(&text, form, until), request);
    }
    let typed = if view.method == HeldMethod::TOTP { &shown.posted.typed } else { "" };
    page::render_form(&held_code_page(&text, form, view, typed, message), request)
}

fn step_of(method: HeldMethod) -> &'static Step {
    if method == HeldMethod::TOTP { &step::TOTP } else { &step::RECOVERY_CODE }
}

/// What the page says and offers.
pub(super) fn held_code_page<'a>(
    text: &PageText<'a>,
    form: StepForm<'a>,
    view: HeldCodeView,
    code: &'a str,
    message: Option<PageMessage<CodeRefusal>>,
) -> HeldCodePage<'a> {
    let l = text.f.l;
    let is_numeric = view.method == HeldMethod::TOTP;
    let brand = ("brand", text.f.brand.into());
    let (title, lede, label, hint) = if is_numeric {
        ("totp-title", l.tr("totp-lede", &[brand]), "code-label", "totp-hint")
    } else {
        let lede = l.t("recovery-code-lede").to_owned();
        ("recovery-code-title", lede, "recovery-code-label", "recovery-code-hint")
    };
    HeldCodePage {
        other_ways: view.has_other_ways.then(|| other_ways::address(form.attempt)),
        form,
        problems: message
            .map(|message| text.held_code_problem(view.method, message))
            .into_iter()
            .collect(),
        title: l.t(title),
        lede,
        label: l.t(label),
        hint: l.t(hint),
        is_numeric,
        code,
        f: text.f,
    }
}
