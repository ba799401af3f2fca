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
struct Posted<'a> {
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
    let shown = due(&request, params.get("attempt").unwrap_or_default()).await?;
    let due = match &shown.view {
        StepView::Password => NextStep::Password,
        StepView::Code(_) => NextStep::Code,
        StepView::NewPassword { .. } => NextStep::NewPassword,
        StepView::Complete => NextStep::Complete,
        // Shown on whichever page the tab is.
        StepView::SignedIn { .. } => step.due,
        StepView::Cancelled => return Err(Failure::StartAgain),
    };
    if due == step.due {
        render(&app, &request, &shown, Posted::default(), None)
    } else {
        Ok(page::see_other(&address(due, &shown.attempt)?))
    }
}

/// "Cancel" and "start again", which every step offers; `None` when the step itself was answered.
async fn cancel_or_restart(
    request: &BrowserRequest,
    form: &Form,
    attempt: &str,
) -> Result<Option<Answer>, Failure> {
    Ok(match form.text("action") {
        "cancel" => Some(login::cancel(&request.cx, &request.visit, attempt).await?),
        "restart" => Some(login::restart(&request.cx, &request.visit, attempt).await?),
        _ => None,
    })
}

/// The step that is due for an attempt, or "start again".
async fn due(request: &BrowserRequest, attempt: &str) -> Result<SignInPage, Failure> {
    login::show(&request.cx, &request.visit, attempt).await?.ok_or(Failure::StartAgain)
}

/// The page of the step that is due, with what was wrong.
fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &SignInPage,
    posted: Posted<'_>,
    refusal: Option<Refusal>,
) -> Result<Response, Failure> {
    let text = request.text(app);
    match &shown.view {
        StepView::Password => {
            let problem = refusal.map(|refusal| text.password(refusal.for_password_page()));
            password_page::render(app, request, shown, posted.email, problem)
        }
        StepView::Code(view) => {
            let said = refusal.map(Refusal::for_code_page);
            code::render(app, request, shown, view, posted.code, said)
        }
        StepView::NewPassword { email } => {
            let said = refusal.map(Refusal::for_new_password_page);
            let problem = said.map(|said| text.new_password(said, posted.no_new_password));
            new_password::render(app, request, shown, email, problem)
        }
        StepView::SignedIn { person } => code::signed_in(app, request, shown, person),
        StepView::Complete => Ok(page::see_other(&address(NextStep::Complete, &shown.attempt)?)),
        StepView::Cancelled => Err(Failure::StartAgain),
    }
}

/// A redirect to the page that is due, from the page of a step that is not.
async fn redirect_to_due_step(
    request: &BrowserRequest,
    attempt: &str,
) -> Result<Response, Failure> {
    match login::resolve_stale_form(&request.cx, &request.visit, attempt, None).await? {
        StaleForm::NextStep(due) if due != NextStep::Complete => {
            Ok(page::see_other(&address(due, attempt)?))
        }
        _ => Err(Failure::StartAgain),
    }
}

/// The address of the page that is due.
fn address(due: NextStep, attempt: &str) -> Result<String, Failure> {
    Ok(Step::of(due).ok_or(Failure::StartAgain)?.address(attempt))
}

/// The origin that the form of a page may lead to besides our own.
fn source(shown: &SignInPage) -> Option<String> {
    form_action_source(&shown.request.redirect_uri)
}

/// The name of the client that people see.
fn client_name<'a>(request: &'a BrowserRequest, client_id: &'a str) -> &'a str {
    request.cx.clients.get(client_id).map_or(client_id, |client| &client.metadata.client_name)
}

/// A request that has no row yet, as what is shown of it.
fn asked_as_shown(asked: &AuthorizePage) -> SignInPage {
    SignInPage {
        attempt: asked.attempt.clone(),
        request: asked.request.clone(),
        view: StepView::Password,
    }
}
