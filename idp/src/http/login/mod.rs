//! The sign-in pages. A form names its attempt and carries a token; what a post leads to is decided in `flows`, and an
//! answer becomes a response in one place, here.

pub(super) mod code;
pub(super) mod consent;
mod later;
pub(super) mod new_password;
pub(super) mod password;
mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::{
    http::{StatusCode, header},
    response::Response,
};
use flows::{
    authorize::{Asked, form_action_source},
    login::{
        self, Answer, CodeView, Due, Onwards, Resend, Shown, View, heard,
        refusal::{CodeRefusal, MailRefusal, PasswordRefusal, Refusal},
    },
    network::{self, Crowded},
};
use keys::Account;
use store::{Timestamp, job::Lane};

use super::{
    error::Failure,
    extract::{Ask, Form},
    page,
};
use crate::{app::App, view::Hidden};
pub(super) use words::Voice;

/// The steps, as form tokens name them.
mod step {
    pub(super) const PASSWORD: &str = "password";
    pub(super) const CODE: &str = "code";
    pub(super) const NEW_PASSWORD: &str = "new-password";
    pub(super) const CONSENT: &str = "consent";

    /// The page that a step is on.
    pub(super) fn due(step: &str) -> Option<super::Due> {
        match step {
            PASSWORD => Some(super::Due::Password),
            CODE => Some(super::Due::Code),
            NEW_PASSWORD => Some(super::Due::NewPassword),
            CONSENT => Some(super::Due::Complete),
            _ => None,
        }
    }
}

/// What a person typed, as far as the next page needs it: never a password.
#[derive(Clone, Copy, Debug, Default)]
struct Typed<'a> {
    email: &'a str,
    code: &'a str,
    /// Whether the new password was left empty.
    nothing: bool,
}

/// A form token, with the attempt that it is for.
struct Token<'a> {
    attempt: &'a str,
    token: String,
}

impl<'a> Token<'a> {
    fn new(ask: &Ask, attempt: &'a str, step: &str) -> Self {
        Self { token: ask.cx.root.form_token(&ask.visit.browser, attempt, step), attempt }
    }

    fn hidden(&self) -> Hidden<'_> {
        Hidden { attempt: self.attempt, form: &self.token }
    }
}

/// The attempt that a form names, if its token is right. If it is not, the form may be from before this browser's cookie
/// changed: two tabs opened at once, or another tab that has signed in. Nothing is done then, and the page is shown anew.
async fn attempt<'f>(
    app: &App,
    ask: &Ask,
    form: &'f Form,
    step: &str,
) -> Result<Result<&'f str, Response>, Failure> {
    let (attempt, token) = (form.text("attempt"), form.text("form"));
    if let Some(crowded) = ask.crowded {
        // What the step can show, it is asked for next: see [`crowded`].
        if !ask.cx.root.form_token_ok(token, &ask.visit.browser, attempt, step) {
            return Err(Failure::TooMany(crowded, crowded.until.since(ask.cx.now)));
        }
    }
    if token.is_empty() {
        return Err(Failure::Forbidden);
    }
    // Of two values nobody can say which was meant.
    if form.0.repeated().is_some() {
        return Err(Failure::NotAForm);
    }
    if let Some(attempt) = own_attempt(ask, form, step) {
        return Ok(Ok(attempt));
    }
    match login::reopen(&ask.cx, &ask.visit, attempt, step::due(step)).await? {
        login::Reopened::Anew(asked) => Ok(Err(password::page(app, ask, &asked)?)),
        login::Reopened::Due(due) => Ok(Err(page::see_other(&address(due, attempt)?))),
        login::Reopened::Nothing => Err(Failure::Forbidden),
    }
}

/// The attempt that a form names, if nothing is wrong with its token and no field comes twice.
fn own_attempt<'f>(ask: &Ask, form: &'f Form, step: &str) -> Option<&'f str> {
    let (attempt, token) = (form.text("attempt"), form.text("form"));
    let own = ask.cx.root.form_token_ok(token, &ask.visit.browser, attempt, step);
    (own && form.0.repeated().is_none()).then_some(attempt)
}

/// "Cancel" and "start again", which every step offers; `None` when the step itself was answered.
async fn way_out(ask: &Ask, form: &Form, name: &str) -> Result<Option<Answer>, Failure> {
    Ok(match form.text("action") {
        "cancel" => Some(login::cancel(&ask.cx, &ask.visit, name).await?),
        "restart" => Some(login::restart(&ask.cx, &ask.visit, name).await?),
        _ => None,
    })
}

/// Turns an answer into a response.
async fn respond(
    app: &App,
    ask: &Ask,
    (name, typed): (&str, Typed<'_>),
    answer: Answer,
) -> Result<Response, Failure> {
    if may_have_asked_for_a_code(&answer) {
        app.jobs.wake(Lane::Code);
    }
    match answer {
        Answer::Show(_, refusal) => {
            let due = due(ask, name).await?;
            let response = shown(app, ask, &due, (typed, refusal))?;
            Ok(limited(response, wait(&due.view, refusal, ask.cx.now)))
        }
        Answer::Next(id, due) => Ok(page::see_other(&address(due, &id.to_string())?)),
        Answer::SignedIn { cookies, to } => {
            let mut response = match to {
                Onwards::Client(to) => page::see_other(&to.location),
                Onwards::Page(to) => page::see_other(to.path()),
                Onwards::Ask(id, _) => page::see_other(&address(Due::Complete, &id.to_string())?),
            };
            if let Some(cookies) = cookies {
                page::set_cookie(&mut response, app.cookies.set_browser(&cookies.browser));
                page::set_cookie(&mut response, app.cookies.set_session(&cookies.session));
                page::set_cookie(
                    &mut response,
                    app.cookies.set_devices(&cookies.devices, ask.cx.settings.device_lifetime),
                );
            }
            Ok(response)
        }
        Answer::Moved { id, due, browser } => {
            let mut response = page::see_other(&address(due, &id.to_string())?);
            page::set_cookie(&mut response, app.cookies.set_browser(&browser));
            Ok(response)
        }
        Answer::Client(to) => Ok(page::see_other(&to.location)),
        Answer::Anew(asked) => password::page(app, ask, &asked),
        Answer::Busy { attempt, retry_after } => {
            later::busy(app, ask, (&attempt, typed.email), retry_after).await
        }
        Answer::Crowded { attempt, crowded } => {
            let refusal = Some(Refusal::NetworkPaused(crowded));
            let due = due(ask, &attempt).await?;
            let response = shown(app, ask, &due, (typed, refusal))?;
            Ok(limited(response, wait(&due.view, refusal, ask.cx.now)))
        }
        Answer::StartAgain => Err(Failure::StartAgain),
    }
}

/// How long a refusal asks the person to wait, on the page that says so.
fn wait(view: &View, refusal: Option<Refusal>, now: Timestamp) -> Option<Duration> {
    let until = match (view, refusal?) {
        (
            View::Password | View::Code(_),
            Refusal::Password(PasswordRefusal::Paused(until))
            | Refusal::Code(CodeRefusal::Paused(until))
            | Refusal::Mail(MailRefusal::SendLater(until))
            | Refusal::NetworkPaused(Crowded { until, .. }),
        ) => until,
        // What leads on is a new code.
        (
            View::Code(CodeView { resend: Resend::At(until), .. }),
            Refusal::Mail(MailRefusal::Exhausted),
        ) => *until,
        (View::Code(_), Refusal::Mail(MailRefusal::Exhausted)) => now,
        _ => return None,
    };
    Some(until.since(now))
}

/// A page that tells a limit is no success (RFC 6585, section 4).
fn limited(mut response: Response, wait: Option<Duration>) -> Response {
    if let Some(wait) = wait {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        // Rounded up: what is asked for then is granted.
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Whether a post beyond the limit of its network is refused: not that of a known device, or of somebody who has proven
/// both steps. Their account has a number of its own.
async fn crowded(ask: &Ask, name: &str, due: Due) -> Result<Option<Crowded>, Failure> {
    let Some(crowded) = ask.crowded else { return Ok(None) };
    let account = heard::account(&ask.cx, &ask.visit, name, due).await?;
    Ok(beyond(ask, crowded, account).await)
}

async fn beyond(ask: &Ask, crowded: Crowded, account: Option<Account>) -> Option<Crowded> {
    match account {
        Some(account) => network::post_of_account(&ask.cx, &account).await,
        None => Some(crowded),
    }
}

/// The same on a page that has nothing typed to keep.
async fn heard_at(ask: &Ask, name: &str, due: Due) -> Result<(), Failure> {
    match crowded(ask, name, due).await? {
        Some(crowded) => Err(Failure::TooMany(crowded, crowded.until.since(ask.cx.now))),
        None => Ok(()),
    }
}

/// Somebody waits for such a mail; a notice is found by its worker within a second.
const fn may_have_asked_for_a_code(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Next(_, Due::Code)
            | Answer::Show(_, Some(Refusal::Mail(MailRefusal::Late | MailRefusal::Expired)))
    )
}

/// The step that is due for an attempt, or "start again".
async fn due(ask: &Ask, name: &str) -> Result<Shown, Failure> {
    login::show(&ask.cx, &ask.visit, name).await?.ok_or(Failure::StartAgain)
}

/// The page of the step that is due, with what was wrong.
fn shown(
    app: &App,
    ask: &Ask,
    shown: &Shown,
    (typed, refusal): (Typed<'_>, Option<Refusal>),
) -> Result<Response, Failure> {
    let voice = Voice::of(app, ask);
    match &shown.view {
        View::Password => {
            let problem = refusal.map(|refusal| voice.password(refusal.at_password()));
            password::render(app, ask, shown, (typed.email, problem))
        }
        View::Code(view) => {
            let said = refusal.map(Refusal::at_mailed_code);
            code::render(app, ask, shown, (view, typed.code, said))
        }
        View::NewPassword { email } => {
            let problem =
                refusal.map(|refusal| voice.new_password(refusal.at_new_password(), typed.nothing));
            new_password::render(app, ask, shown, (email, problem))
        }
        View::SignedIn { person } => code::signed_in(app, ask, shown, person),
        View::Complete => Ok(page::see_other(&address(Due::Complete, &shown.attempt)?)),
        View::Cancelled => Err(Failure::StartAgain),
    }
}

/// A GET of a step: its page if it is due, else the one that is.
async fn get(app: &App, ask: &Ask, name: &str, asked: Due) -> Result<Response, Failure> {
    let shown = due(ask, name).await?;
    let (due, here) = match &shown.view {
        View::Password => (Due::Password, asked == Due::Password),
        View::Code(_) => (Due::Code, asked == Due::Code),
        View::NewPassword { .. } => (Due::NewPassword, asked == Due::NewPassword),
        // Shown wherever the tab stands.
        View::SignedIn { .. } => (Due::Code, true),
        View::Complete => (Due::Complete, false),
        View::Cancelled => return Err(Failure::StartAgain),
    };
    if here {
        self::shown(app, ask, &shown, (Typed::default(), None))
    } else {
        Ok(page::see_other(&address(due, &shown.attempt)?))
    }
}

/// The page that is due, for a step that is not.
async fn elsewhere(ask: &Ask, name: &str) -> Result<Response, Failure> {
    match login::reopen(&ask.cx, &ask.visit, name, None).await? {
        login::Reopened::Due(due) if due != Due::Complete => {
            Ok(page::see_other(&address(due, name)?))
        }
        _ => Err(Failure::StartAgain),
    }
}

/// The address of the page that is due.
fn address(due: Due, attempt: &str) -> Result<String, Failure> {
    let path = match due {
        Due::Password => password::PATH,
        Due::Code => "/login/code",
        Due::NewPassword => "/login/new-password",
        Due::Complete => "/login/consent",
        Due::Nothing => return Err(Failure::StartAgain),
    };
    Ok(format!("{path}?attempt={attempt}"))
}

/// Where a page's form may lead besides to us.
fn source(shown: &Shown) -> Option<String> {
    form_action_source(&shown.request.redirect_uri)
}

/// The name of the client that people see.
fn client_name<'a>(ask: &'a Ask, client_id: &'a str) -> &'a str {
    ask.cx.clients.get(client_id).map_or(client_id, |client| &client.metadata.client_name)
}

/// The same for a page that has no row yet.
fn asked_as_shown(asked: &Asked) -> Shown {
    Shown { attempt: asked.attempt.clone(), request: asked.request.clone(), view: View::Password }
}
