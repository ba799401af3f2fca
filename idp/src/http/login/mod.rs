//! The sign-in pages. A form names its attempt and carries a token; what a post leads to is decided in `flows`, and an
//! answer becomes a response in one place (`respond.rs`).

pub(super) mod code;
pub(super) mod consent;
mod form_token;
pub(super) mod new_password;
pub(super) mod password;
pub(super) mod password_page;
mod rate_limit;
mod respond;
mod unavailable;

#[cfg(test)]
mod tests;

use axum::{extract::State, response::Response};
use flows::{
    authorize::{AuthorizePage, form_action_source},
    login::{self, Answer, NextStep, SignInPage, StaleForm, StepView, refusal::Refusal},
};

use super::{
    error::Failure,
    extract::{BrowserRequest, Form, Query},
    page,
    step::Step,
};
use crate::app::App;

/// What a person posted, as far as the next page needs it: never a password.
#[derive(Clone, Copy, Debug, Default)]
struct PostedForm<'a> {
    attempt: &'a str,
    email: &'a str,
    code: &'a str,
    /// Whether the new password was left empty.
    no_new_password: bool,
}

/// A GET of a step: its page if it is due, else a redirect to the one that is.
pub(super) async fn get(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let step = request.step.ok_or(Failure::NotFound)?;
    let shown = load_due_page(&request, params.get("attempt").unwrap_or_default()).await?;
    let next_step = match &shown.view {
        StepView::Password => NextStep::Password,
        StepView::Code(_) => NextStep::Code,
        StepView::NewPassword { .. } => NextStep::NewPassword,
        StepView::Complete => NextStep::Complete,
        // Shown at the path of any step.
        StepView::SignedIn { .. } => step.leads_to,
        StepView::Cancelled => return Err(Failure::StartAgain),
    };
    if next_step == step.leads_to {
        render(&app, &request, &shown, PostedForm::default(), None)
    } else {
        Ok(page::see_other(&step_address(next_step, &shown.attempt)?))
    }
}

/// "Cancel" and "start again", which every step offers; `None` when the step itself was answered.
async fn cancel_or_restart(
    request: &BrowserRequest,
    form: &Form,
    attempt: &str,
) -> Result<Option<Answer>, Failure> {
    Ok(match form.text("action") {
        "cancel" => Some(login::cancel(&request.cx, &request.browser_context, attempt).await?),
        "restart" => Some(login::restart(&request.cx, &request.browser_context, attempt).await?),
        _ => None,
    })
}

/// The step that is due for an attempt, or "start again".
async fn load_due_page(request: &BrowserRequest, attempt: &str) -> Result<SignInPage, Failure> {
    login::show(&request.cx, &request.browser_context, attempt).await?.ok_or(Failure::StartAgain)
}

/// The page of the step that is due, with the refusal.
fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &SignInPage,
    posted: PostedForm<'_>,
    refusal: Option<Refusal>,
) -> Result<Response, Failure> {
    let text = request.page_text(app);
    match &shown.view {
        StepView::Password => {
            let problem = refusal.map(|refusal| text.password_problem(refusal.for_password_page()));
            password_page::render(app, request, shown, posted.email, problem)
        }
        StepView::Code(view) => {
            let message = refusal.map(Refusal::for_code_page);
            code::render(app, request, shown, view, posted.code, message)
        }
        StepView::NewPassword { email } => {
            let message = refusal.map(Refusal::for_new_password_page);
            let problem =
                message.map(|message| text.new_password_problem(message, posted.no_new_password));
            new_password::render(app, request, shown, email, problem)
        }
        StepView::SignedIn { person } => code::render_signed_in(app, request, shown, person),
        StepView::Complete => {
            Ok(page::see_other(&step_address(NextStep::Complete, &shown.attempt)?))
        }
        StepView::Cancelled => Err(Failure::StartAgain),
    }
}

/// A redirect to the page that is due, from the page of a step that is not.
async fn redirect_to_due_step(
    request: &BrowserRequest,
    attempt: &str,
) -> Result<Response, Failure> {
    match login::resolve_stale_form(&request.cx, &request.browser_context, attempt, None).await? {
        StaleForm::NextStep(next_step) if next_step != NextStep::Complete => {
            Ok(page::see_other(&step_address(next_step, attempt)?))
        }
        _ => Err(Failure::StartAgain),
    }
}

/// The address of the page that is due.
fn step_address(next_step: NextStep, attempt: &str) -> Result<String, Failure> {
    Ok(Step::for_next_step(next_step).ok_or(Failure::StartAgain)?.address(attempt))
}

/// The origin that the form of a page may lead to besides our own.
fn form_action_origin(shown: &SignInPage) -> Option<String> {
    form_action_source(&shown.request.redirect_uri)
}

/// The name of the client that people see.
fn client_name<'a>(request: &'a BrowserRequest, client_id: &'a str) -> &'a str {
    request.cx.clients.get(client_id).map_or(client_id, |client| &client.metadata.client_name)
}

/// The sign-in page of a request that has no row yet.
fn to_sign_in_page(asked: &AuthorizePage) -> SignInPage {
    SignInPage {
        attempt: asked.attempt.clone(),
        request: asked.request.clone(),
        view: StepView::Password,
    }
}
