//! `/login/code`.

use axum::{extract::State, response::Response};
use flows::login::{
    CodeValidity, CodeView, MailStatus, ResendTime, email_code, follow,
    refusal::{MailedCodeRefusal, PageMessage},
    resend,
};

use store::Timestamp;

use super::{StepPage, client_name, form_token::step_form, step_post::answer_post};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{BrowserRequest, Form},
        page, step,
    },
    view::{
        CodePage, Frame, PausedPage, SignedInPage, StepForm,
        messages::{PageText, SHORT_WAIT, takes_code},
    },
};

pub(in crate::http) async fn post(
    State(app): State<App>,
    request: BrowserRequest,
    form: Form,
) -> Result<Response, Failure> {
    let (cx, browser_context, typed) = (&request.cx, &request.browser_context, form.text("code"));
    answer_post(&app, &request, &form, (&step::CODE, typed), async |attempt| {
        if form.text("action") == "resend" {
            resend::resend(cx, browser_context, attempt).await
        } else if form.text("follow") == "session" {
            follow::continue_with_session(cx, browser_context, attempt).await
        } else {
            email_code::post(cx, browser_context, attempt, typed).await
        }
    })
    .await
}

/// The page, with the code as it was typed.
pub(super) fn render(
    app: &App,
    request: &BrowserRequest,
    shown: &StepPage<'_>,
    view: &CodeView,
    message: Option<PageMessage<MailedCodeRefusal>>,
) -> Result<Response, Failure> {
    let form = step_form(request, &step::CODE, shown);
    if let Some(until) = view.paused_until {
        return page::render_form(&paused_page(&request.page_text(app), form, until), request);
    }
    let html = code_page(&request.page_text(app), form, view, &shown.posted.typed, message);
    page::render_form(&html, request)
}

/// The page of a pause after too many wrong codes: there is nothing to type and nothing to send.
pub(super) fn paused_page<'a>(
    text: &PageText<'a>,
    form: StepForm<'a>,
    until: Timestamp,
) -> PausedPage<'a> {
    let when = ("when", text.when(until).into());
    PausedPage { form, lede: text.f.l.tr("paused-lede", &[when]), f: text.f }
}

/// What the page says and offers.
pub(super) fn code_page<'a>(
    text: &PageText<'a>,
    form: StepForm<'a>,
    view: &'a CodeView,
    code: &'a str,
    message: Option<PageMessage<MailedCodeRefusal>>,
) -> CodePage<'a> {
    let open = takes_code(view);
    let attempt = form.attempt;
    let title = match view.delivery {
        _ if open => "code-title",
        _ if view.exhausted => "code-title-spent",
        MailStatus::NotSent if view.resend == ResendTime::Now => "code-title-unrequested",
        MailStatus::NotSent | MailStatus::Refused => "code-title-unsent",
        MailStatus::Pending | MailStatus::Accepted => "code-title-new",
    };
    CodePage {
        form,
        problems: message
            .and_then(|message| text.code_problem(view, message))
            .into_iter()
            .collect(),
        notice: message.and_then(|message| text.code_notice(view, message)),
        title: text.f.l.t(title),
        sent: sent_text(text, view),
        status: status_text(text, view),
        reference: open.then_some(view.reference.as_str()),
        code,
        open,
        resend: resend_button(text, view),
        resend_later: resend_wait_text(text, view),
        other_ways: view.has_other_ways.then(|| super::other_ways::address(attempt)),
        f: text.f,
    }
}

/// Where the code was sent, or why it can no longer be entered.
fn sent_text(text: &PageText<'_>, view: &CodeView) -> String {
    let address = ("address", view.masked_address.as_str().into());
    let until = ("until", text.clock_time(view.until).into());
    let key = match (view.delivery, view.accepted_at) {
        (MailStatus::NotSent, _) if view.resend == ResendTime::Now => "code-unrequested",
        (MailStatus::NotSent, _) => "code-not-sent",
        (MailStatus::Refused, _) => "code-refused",
        _ if view.exhausted => "code-spent",
        _ if !takes_code(view) && view.validity == CodeValidity::Late => "code-over-same",
        _ if !takes_code(view) => "code-over",
        (MailStatus::Accepted, _) => "code-sent",
        (MailStatus::Pending, None) => "code-sending",
        (MailStatus::Pending, Some(_)) => "code-sending-again",
    };
    text.f.l.tr(key, &[address, until])
}

/// How long ago it was sent, and until when it works. The time in the mail is never later than the one here.
fn status_text(text: &PageText<'_>, view: &CodeView) -> Option<String> {
    let l = text.f.l;
    if !takes_code(view) {
        return None;
    }
    let until = ("until", text.until(view.until).into());
    Some(match view.accepted_at {
        _ if view.validity != CodeValidity::Valid => l.t("code-soon").to_owned(),
        Some(at) if view.delivery == MailStatus::Accepted => {
            let minutes = text.now.since(at).as_secs() / 60;
            l.tr(
                "code-ago",
                &[("minutes", minutes.into()), ("time", text.clock_time(at).into()), until],
            )
        }
        // The new mail will extend this time; until then it applies.
        Some(_) => l.tr("code-still", &[until]),
        None => l.tr("code-until", &[until]),
    })
}

/// The button's text: the same code again while it can still work, else a new one. Before a short wait is over it is there,
/// too: a press of it then says when.
fn resend_button(text: &PageText<'_>, view: &CodeView) -> Option<&'static str> {
    let key = match view.delivery {
        _ if view.exhausted || view.validity == CodeValidity::Expired => "code-new",
        MailStatus::NotSent => "code-send",
        MailStatus::Pending | MailStatus::Accepted | MailStatus::Refused => "code-resend",
    };
    let is_soon = match view.resend {
        ResendTime::Now => true,
        ResendTime::At(at) => at.since(text.now) <= SHORT_WAIT,
    };
    is_soon.then(|| text.f.l.t(key))
}

/// When a code can be requested, if not now.
fn resend_wait_text(text: &PageText<'_>, view: &CodeView) -> Option<String> {
    let ResendTime::At(at) = view.resend else { return None };
    Some(text.resend_wait(at))
}

/// The page of a tab whose browser was signed in by another tab.
pub(super) fn render_signed_in(
    app: &App,
    request: &BrowserRequest,
    shown: &StepPage<'_>,
    person: &str,
) -> Result<Response, Failure> {
    let f = Frame::of(&app.brand, request.locale);
    let person = ("person", person.into());
    let lede = match shown.page.request.client_id() {
        Some(client) => {
            let client = ("client", client_name(request, client).into());
            f.l.tr("signed-in-lede", &[person, client])
        }
        None => f.l.tr("signed-in-lede-account", &[person]),
    };
    let html = SignedInPage { form: step_form(request, &step::CODE, shown), lede, f };
    page::render_form(&html, request)
}
