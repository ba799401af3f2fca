//! The response to a post of a step.

use std::time::Duration;

use axum::{http::StatusCode, response::Response};
use flows::{
    login::{
        AfterSignIn, Answer, CodeView, HeldCodeView, NewCookies, NextStep, ResendTime, StepView,
        posted_refusal::PostedRefusal,
        refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    },
    mail::Category,
    network::RateLimited,
};
use store::Timestamp;

use super::{
    redirect::{redirect_refused, redirect_restarted, redirect_to_fresh, step_address},
    return_page, unavailable,
};
use crate::{
    app::App,
    http::{error::Failure, extract::BrowserRequest, page, retry_after::set_retry_after},
};

/// What a person posted, as far as the next page needs it: never a password.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PostedForm<'a> {
    pub(super) attempt: &'a str,
    /// The address or the code, as it was typed.
    pub(super) typed: &'a str,
}

/// Turns an answer into a response.
pub(super) async fn respond(
    app: &App,
    request: &BrowserRequest,
    posted: PostedForm<'_>,
    answer: Answer,
) -> Result<Response, Failure> {
    if may_have_queued_code(&answer) {
        app.lane_notifier.notify(Category::Code.as_str());
    }
    match answer {
        Answer::Show(_, refusal) => {
            let refused = PostedRefusal::new(refusal, posted.typed);
            redirect_refused(request, posted.attempt, refused).await
        }
        Answer::Next(id, next_step) => {
            Ok(page::see_other(&step_address(next_step, &id.to_string())?))
        }
        Answer::Restarted { id, address } => {
            redirect_restarted(request, &id.to_string(), &address).await
        }
        Answer::SignedIn { cookies, destination: to } => {
            respond_signed_in(app, request, cookies, to)
        }
        Answer::BrowserChanged { id, next_step, browser } => {
            let mut response = page::see_other(&step_address(next_step, &id.to_string())?);
            page::set_cookie(&mut response, app.cookies.set_browser(&browser));
            Ok(response)
        }
        Answer::Client(to) => return_page::render(app, request, &to),
        Answer::Home => {
            let home = app.brand.home.as_str();
            return_page::render_to(app, request, home, &app.brand.name)
        }
        Answer::FreshPage(fresh, reason) => {
            redirect_to_fresh(request, &fresh, reason, posted.typed)
        }
        Answer::Busy { attempt, retry_after } => {
            let posted = PostedForm { attempt: &attempt, ..posted };
            unavailable::respond_full(app, request, posted, retry_after).await
        }
        Answer::RateLimited { attempt, rate_limited } => {
            let refusal = Refusal::NetworkPaused(rate_limited);
            let refused = PostedRefusal::new(Some(refusal), posted.typed);
            redirect_refused(request, &attempt, refused).await
        }
        Answer::StartAgain => Err(Failure::StartAgain),
    }
}

/// A redirect to the client, to a page of ours or to the consent page, with new cookies.
fn respond_signed_in(
    app: &App,
    request: &BrowserRequest,
    cookies: Option<NewCookies>,
    to: AfterSignIn,
) -> Result<Response, Failure> {
    let mut response = match to {
        AfterSignIn::Client(to) => return_page::render(app, request, &to)?,
        AfterSignIn::Page(to) => page::see_other(to.path()),
        AfterSignIn::Ask(id, _) => {
            page::see_other(&step_address(NextStep::Complete, &id.to_string())?)
        }
    };
    if let Some(NewCookies { browser, session, devices }) = cookies {
        let lifetime = request.cx.settings.device_lifetime;
        page::set_cookie(&mut response, app.cookies.set_browser(&browser));
        page::set_cookie(&mut response, app.cookies.set_session(&session));
        page::set_cookie(&mut response, app.cookies.set_devices(&devices, lifetime));
    }
    Ok(response)
}

/// How long a refusal asks the person to wait, on the page that says so.
pub(super) fn wait_time(
    view: &StepView,
    refusal: Option<Refusal>,
    now: Timestamp,
) -> Option<Duration> {
    if let StepView::Code(CodeView { paused_until: Some(until), .. })
    | StepView::Held(HeldCodeView { paused_until: Some(until), .. }) = view
    {
        return Some(until.since(now));
    }
    let until = match (view, refusal?) {
        (
            StepView::Password | StepView::Code(_) | StepView::Held(_),
            Refusal::Password(PasswordRefusal::Paused(until))
            | Refusal::Code(CodeRefusal::Paused(until))
            | Refusal::Mail(MailRefusal::SendLater(until)),
        )
        // Every page of a step says so.
        | (
            StepView::Password
            | StepView::Code(_)
            | StepView::Held(_)
            | StepView::NewPassword { .. },
            Refusal::NetworkPaused(RateLimited { until, .. }),
        ) => until,
        // A new code is needed.
        (
            StepView::Code(CodeView { resend: ResendTime::At(until), .. }),
            Refusal::Mail(MailRefusal::Exhausted),
        ) => *until,
        (StepView::Code(_), Refusal::Mail(MailRefusal::Exhausted)) => now,
        _ => return None,
    };
    Some(until.since(now))
}

/// A page that shows a limit has status 429 (RFC 6585, section 4).
pub(super) fn mark_rate_limited(mut response: Response, wait: Option<Duration>) -> Response {
    if let Some(wait) = wait {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        set_retry_after(response.headers_mut(), wait);
    }
    response
}

/// Whether a code may have been queued, for which a person waits. Workers find a notice within a second.
const fn may_have_queued_code(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Next(_, NextStep::Code)
            | Answer::Show(_, Some(Refusal::Mail(MailRefusal::Late | MailRefusal::Expired)))
    )
}
