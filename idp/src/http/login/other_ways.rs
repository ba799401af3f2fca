//! `/login/other-ways`: the methods of the second step that a person has, after the first is proven.

use axum::{extract::State, response::Response};
use flows::login::{
    method::{HeldMethod, Method},
    other_ways::{self, OtherWays},
};

use super::{form_token::attempt_form, redirect_to_due_step, step_post::answer_post};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form, Query},
        page, step,
        step::Step,
    },
    view::{Frame, MethodChoice, OtherWaysPage, StepForm},
};

/// The address of the page for an attempt.
pub(super) fn address(attempt: &str) -> String {
    step::OTHER_WAYS.address(attempt, None)
}

pub(in crate::http) async fn get(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let attempt = params.get("attempt").unwrap_or_default();
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    let Some(ways) = other_ways::list(cx, browser_context, attempt).await? else {
        return redirect_to_due_step(&app, &request, attempt).await;
    };
    let form = attempt_form(&request, &step::OTHER_WAYS, attempt, None);
    let f = Frame::of(&app.brand, request.locale);
    page::render_form(&other_ways_page(f, form, &ways), &request)
}

pub(in crate::http) async fn post(
    State(app): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let (cx, browser_context) = (&request.cx, &request.browser_context);
    answer_post(&app, &request, &form, (&step::OTHER_WAYS, ""), async |attempt| {
        other_ways::choose(cx, browser_context, attempt, form.text("method")).await
    })
    .await
}

/// What the page offers.
pub(super) fn other_ways_page<'a>(
    f: Frame<'a>,
    form: StepForm<'a>,
    ways: &OtherWays,
) -> OtherWaysPage<'a> {
    let methods = ways.offered.iter().map(|method| choice(f, *method, &ways.masked_address));
    OtherWaysPage {
        methods: methods.collect(),
        back: step_of(ways.awaited).address(form.attempt, None),
        form,
        f,
    }
}

fn choice(f: Frame<'_>, method: Method, address: &str) -> MethodChoice {
    let address = ("address", address.into());
    let (text, hint) = match method {
        Method::Mailed(_) => (f.l.tr("ways-email", &[address]), "ways-email-hint"),
        Method::Held(HeldMethod::TOTP) => (f.l.t("ways-totp").to_owned(), "ways-totp-hint"),
        Method::Held(HeldMethod::PASSKEY) => {
            (f.l.t("ways-passkey").to_owned(), "ways-passkey-hint")
        }
        Method::Held(_) => (f.l.t("ways-recovery-code").to_owned(), "ways-recovery-code-hint"),
    };
    MethodChoice { name: method.name(), text, hint: f.l.t(hint) }
}

/// The page of a method.
fn step_of(method: Method) -> &'static Step {
    match method {
        Method::Mailed(_) => &step::CODE,
        Method::Held(HeldMethod::TOTP) => &step::TOTP,
        Method::Held(HeldMethod::PASSKEY) => &step::PASSKEY,
        Method::Held(_) => &step::RECOVERY_CODE,
    }
}
