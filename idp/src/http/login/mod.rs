//! The sign-in pages. A form names its attempt and carries a token; `flows` decides what a post leads to, and `respond.rs`
//! turns that answer into a response. A post is answered by a redirect to the page of a step, never by the page itself, unless
//! it could not be judged (`unavailable.rs`).

pub(super) mod code;
pub(super) mod consent;
mod form_token;
pub(super) mod held_code;
pub(super) mod new_password;
pub(super) mod other_ways;
pub(super) mod passkey;
mod passkey_form;
pub(super) mod password;
pub(super) mod password_page;
mod rate_limit;
mod redirect;
mod respond;
pub(super) mod return_page;
mod step_post;
mod unavailable;

#[cfg(test)]
mod tests;

use axum::{extract::State, response::Response};
use flows::{
    attempt::StaleReason,
    authorize::NewSignInPage,
    login::{
        self, Answer, DuePage, NextStep, SignInPage, StaleForm, StepView,
        posted_refusal::PostedRefusal,
        refusal::{PageMessage, Refusal},
    },
};

use self::redirect::{redirect_to_fresh, step_address};
use super::{
    error::Failure,
    extract::{BrowserRequest, Form, Query},
    page,
    step::{REFUSED, Step},
};
use crate::app::App;

/// The page of a step, with what the last post was refused for.
struct StepPage<'a> {
    page: &'a SignInPage,
    posted: PostedRefusal,
    /// The same, sealed, for the links of the page that come back to it.
    refused: Option<&'a str>,
}

/// A GET of a step: its page if it is due, else a redirect to the one that is.
pub(super) async fn get(
    State(app): State<App>,
    request: BrowserRequest,
    Query(params): Query,
) -> Result<Response, Failure> {
    let step = request.step.ok_or(Failure::NotFound)?;
    let attempt = params.get("attempt").unwrap_or_default();
    let page = match login::show(&request.cx, &request.browser_context, attempt).await? {
        DuePage::Page(page) => *page,
        DuePage::Fresh(fresh, reason) => return show_fresh(&app, &request, &fresh, reason),
        DuePage::NotFound => return Err(Failure::StartAgain),
    };
    let due = due_step(&page, step)?;
    if due.leads_to != step.leads_to {
        return Ok(page::see_other(&due.address(&page.location.attempt, None)));
    }
    let sealed = params.get(REFUSED).unwrap_or_default();
    let posted = PostedRefusal::open(&request.cx, &page.location, sealed);
    let refused = (posted != PostedRefusal::default()).then_some(sealed);
    render(&app, &request, &StepPage { page: &page, posted, refused })
}

/// The step whose page shows what is due; `here` is the one that the tab is at.
fn due_step(page: &SignInPage, here: &'static Step) -> Result<&'static Step, Failure> {
    match page.view {
        // Shown on whichever page the tab is.
        StepView::SignedIn { .. } => Ok(here),
        _ => Step::for_next_step(page.location.next_step).ok_or(Failure::StartAgain),
    }
}

/// The new page for one that can no longer be posted. A browser without our cookie gets it at once: a redirect would need the
/// cookie that it may not keep, and lead there again and again.
fn show_fresh(
    app: &App,
    request: &BrowserRequest,
    fresh: &NewSignInPage,
    reason: StaleReason,
) -> Result<Response, Failure> {
    if request.new_browser_cookie.is_some() {
        return password_page::render_new(app, request, fresh);
    }
    redirect_to_fresh(request, fresh, Some(reason), "")
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

/// The page of the step that is due, with what was wrong, and how long to wait.
fn render(app: &App, request: &BrowserRequest, shown: &StepPage<'_>) -> Result<Response, Failure> {
    let text = request.page_text(app);
    let refusal = shown.posted.refusal;
    let response = match &shown.page.view {
        StepView::Password => {
            let problems = match refusal {
                Some(Refusal::Passkey(own)) => {
                    vec![text.passkey_problem(PageMessage::ThisStep(own), "with-password")]
                }
                Some(refusal) => text.password_problems(refusal.for_password_page()),
                None => Vec::new(),
            };
            password_page::render(app, request, shown, problems)
        }
        StepView::Code(view) => {
            code::render(app, request, shown, view, refusal.map(Refusal::for_code_page))
        }
        StepView::Held(view) => {
            held_code::render(app, request, shown, *view, refusal.map(Refusal::for_held_code_page))
        }
        StepView::Passkey(view) => {
            passkey::render(app, request, shown, view, refusal.map(Refusal::for_passkey_page))
        }
        StepView::NewPassword { email } => {
            let message = refusal.map(Refusal::for_new_password_page);
            let problem = message.map(|message| text.new_password_problem(message));
            new_password::render(app, request, shown, email, problem)
        }
        StepView::SignedIn { person } => code::render_signed_in(app, request, shown, person),
        StepView::Complete | StepView::Cancelled => Err(Failure::StartAgain),
    }?;
    let wait = respond::wait_time(&shown.page.view, refusal, request.cx.now);
    Ok(respond::mark_rate_limited(response, wait))
}

/// A redirect to the page that is due, from the page of a step that is not.
async fn redirect_to_due_step(
    app: &App,
    request: &BrowserRequest,
    attempt: &str,
) -> Result<Response, Failure> {
    match login::resolve_stale_form(&request.cx, &request.browser_context, attempt, None).await? {
        StaleForm::NextStep(next_step) if next_step != NextStep::Complete => {
            Ok(page::see_other(&step_address(next_step, attempt)?))
        }
        StaleForm::FreshPage(fresh, reason) => show_fresh(app, request, &fresh, reason),
        StaleForm::NextStep(_) | StaleForm::NotThisBrowser => Err(Failure::StartAgain),
    }
}

/// The name of the client that people see.
pub(super) fn client_name<'a>(request: &'a BrowserRequest, client_id: &'a str) -> &'a str {
    request.cx.clients.get(client_id).map_or(client_id, |client| &client.metadata.client_name)
}
