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
    authorize::{Asked, form_action_source},
    login::{self, Answer, Due, Reopened, Shown, View, refusal::Refusal},
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
        View::Password => Due::Password,
        View::Code(_) => Due::Code,
        View::NewPassword { .. } => Due::NewPassword,
        View::Complete => Due::Complete,
        // Shown on whichever page the tab is.
        View::SignedIn { .. } => step.due,
        View::Cancelled => return Err(Failure::StartAgain),
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
async fn due(request: &BrowserRequest, attempt: &str) -> Result<Shown, Failure> {
    login::show(&request.cx, &request.visit, attempt).await?.ok_or(Failure::StartAgain)
}

/// The page of the step that is due, with what was wrong.
fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &Shown,
    posted: Posted<'_>,
    refusal: Option<Refusal>,
) -> Result<Response, Failure> {
    let text = request.text(app);
    match &shown.view {
        View::Password => {
            let problem = refusal.map(|refusal| text.password(refusal.at_password()));
            password_page::render(app, request, shown, posted.email, problem)
        }
        View::Code(view) => {
            let said = refusal.map(Refusal::at_mailed_code);
            code::render(app, request, shown, view, posted.code, said)
        }
        View::NewPassword { email } => {
            let said = refusal.map(Refusal::at_new_password);
            let problem = said.map(|said| text.new_password(said, posted.no_new_password));
            new_password::render(app, request, shown, email, problem)
        }
        View::SignedIn { person } => code::signed_in(app, request, shown, person),
        View::Complete => Ok(page::see_other(&address(Due::Complete, &shown.attempt)?)),
        View::Cancelled => Err(Failure::StartAgain),
    }
}

/// A redirect to the page that is due, from the page of a step that is not.
async fn redirect_to_due_step(
    request: &BrowserRequest,
    attempt: &str,
) -> Result<Response, Failure> {
    match login::reopen(&request.cx, &request.visit, attempt, None).await? {
        Reopened::Due(due) if due != Due::Complete => Ok(page::see_other(&address(due, attempt)?)),
        _ => Err(Failure::StartAgain),
    }
}

/// The address of the page that is due.
fn address(due: Due, attempt: &str) -> Result<String, Failure> {
    Ok(Step::of(due).ok_or(Failure::StartAgain)?.address(attempt))
}

/// The origin that the form of a page may lead to besides our own.
fn source(shown: &Shown) -> Option<String> {
    form_action_source(&shown.request.redirect_uri)
}

/// The name of the client that people see.
fn client_name<'a>(request: &'a BrowserRequest, client_id: &'a str) -> &'a str {
    request.cx.clients.get(client_id).map_or(client_id, |client| &client.metadata.client_name)
}

/// A request that has no row yet, as what is shown of it.
fn asked_as_shown(asked: &Asked) -> Shown {
    Shown { attempt: asked.attempt.clone(), request: asked.request.clone(), view: View::Password }
}
