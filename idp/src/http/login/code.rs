//! `/login/code`.

use axum::{extract::State, http::StatusCode, response::Response};
use flows::login::{
    Answer, CodeView, Delivery, Due, Resend, Shown, Time, email_code, follow,
    refusal::{MailedCode, Said},
    resend,
};

use super::{
    Token, Typed, attempt, client_name, respond, source, step, way_out,
    words::{Voice, takes_code},
};
use crate::{
    app::App,
    http::{
        error::Failure,
        extract::{Ask, Form, Query},
        page,
    },
    view::{CodePage, Hidden, SignedInPage},
};

pub(in crate::http) async fn get(
    State(app): State<App>,
    ask: Ask,
    Query(params): Query,
) -> Result<Response, Failure> {
    super::get(&app, &ask, params.get("attempt").unwrap_or_default(), Due::Code).await
}

pub(in crate::http) async fn post(
    State(app): State<App>,
    ask: Ask,
    form: Form,
) -> Result<Response, Failure> {
    let name = match attempt(&app, &ask, &form, step::CODE).await? {
        Ok(name) => name,
        Err(response) => return Ok(response),
    };
    let typed = Typed { code: form.text("code"), ..Typed::default() };
    let (cx, visit) = (&ask.cx, &ask.visit);
    if let Some(crowded) = super::crowded(&ask, name, Due::Code).await? {
        let answer = Answer::Crowded { attempt: name.to_owned(), crowded };
        return respond(&app, &ask, (name, typed), answer).await;
    }
    let answer = match way_out(&ask, &form, name).await? {
        Some(answer) => answer,
        None if form.text("action") == "resend" => resend::resend(cx, visit, name).await?,
        None if form.text("follow") == "session" => follow::go_on(cx, visit, name).await?,
        None => email_code::post(cx, visit, name, typed.code).await?,
    };
    respond(&app, &ask, (name, typed), answer).await
}

/// The page, with the code as it was typed.
pub(super) fn render(
    app: &App,
    ask: &Ask,
    shown: &Shown,
    (view, code, said): (&CodeView, &str, Option<Said<MailedCode>>),
) -> Result<Response, Failure> {
    let token = Token::new(ask, &shown.attempt, step::CODE);
    let html = page_of(&Voice::of(app, ask), token.hidden(), view, (code, said));
    page::form(&html, StatusCode::OK, source(shown).as_deref(), ask)
}

/// What the page says and offers.
pub(super) fn page_of<'a>(
    voice: &Voice<'a>,
    hidden: Hidden<'a>,
    view: &'a CodeView,
    (code, said): (&'a str, Option<Said<MailedCode>>),
) -> CodePage<'a> {
    let open = takes_code(view);
    let title = match view.delivery {
        _ if open => "code-title",
        Delivery::Unasked | Delivery::Refused => "code-title-unsent",
        Delivery::Pending | Delivery::Accepted => "code-title-new",
    };
    CodePage {
        hidden,
        problem: said.map(|said| voice.code(view, said)),
        title: voice.f.l.t(title),
        sent: sent(voice, view),
        status: status(voice, view),
        reference: open.then_some(view.reference.as_str()),
        code,
        open,
        resend: resend(voice, view),
        resend_later: resend_later(voice, view),
        f: voice.f,
    }
}

/// Where the code went, or why it can no longer be entered.
fn sent(voice: &Voice<'_>, view: &CodeView) -> String {
    let address = ("address", view.masked.as_str().into());
    let until = ("until", voice.clock(view.until).into());
    let key = match (view.delivery, view.accepted_at) {
        (Delivery::Unasked, _) => "code-not-sent",
        (Delivery::Refused, _) => "code-refused",
        _ if view.exhausted => "code-spent",
        _ if !takes_code(view) => "code-over",
        (Delivery::Accepted, _) => "code-sent",
        (Delivery::Pending, None) => "code-sending",
        (Delivery::Pending, Some(_)) => "code-sending-again",
    };
    voice.f.l.tr(key, &[address, until])
}

/// How long ago, and until when it works. The time in the mail is never later than the one here.
fn status(voice: &Voice<'_>, view: &CodeView) -> Option<String> {
    let l = voice.f.l;
    if !takes_code(view) {
        return None;
    }
    let until = ("until", voice.clock(view.until).into());
    Some(match view.accepted_at {
        _ if view.time != Time::Open => l.t("code-soon").to_owned(),
        Some(at) if view.delivery == Delivery::Accepted => {
            let minutes = voice.now.since(at).as_secs() / 60;
            l.tr(
                "code-ago",
                &[("minutes", minutes.into()), ("time", voice.clock(at).into()), until],
            )
        }
        // The new mail will move this time, and until then the old one stands.
        Some(_) => l.tr("code-still", &[until]),
        None => l.tr("code-until", &[until]),
    })
}

/// The button's text: the same code again while it can still work, else a new one.
fn resend(voice: &Voice<'_>, view: &CodeView) -> Option<&'static str> {
    let key = match view.delivery {
        _ if view.exhausted || view.time == Time::Past => "code-new",
        Delivery::Unasked => "code-send",
        Delivery::Pending | Delivery::Accepted | Delivery::Refused => "code-resend",
    };
    (view.resend == Resend::Now).then(|| voice.f.l.t(key))
}

/// When it can be asked for, if that is not now.
fn resend_later(voice: &Voice<'_>, view: &CodeView) -> Option<String> {
    let Resend::At(at) = view.resend else { return None };
    // Rounded up: what is asked for at the told moment is granted.
    let seconds = at.since(voice.now).as_millis().div_ceil(1000);
    Some(match u64::try_from(seconds) {
        Ok(seconds) if seconds <= 120 => {
            voice.f.l.tr("code-resend-soon", &[("seconds", seconds.into())])
        }
        _ => voice.f.l.tr("code-resend-later", &[("when", voice.from(at).into())]),
    })
}

/// The page of a tab whose browser was signed in by another one.
pub(super) fn signed_in(
    app: &App,
    ask: &Ask,
    shown: &Shown,
    person: &str,
) -> Result<Response, Failure> {
    let f = Voice::of(app, ask).f;
    let token = Token::new(ask, &shown.attempt, step::CODE);
    let client = client_name(ask, &shown.request.client_id);
    let html = SignedInPage {
        hidden: token.hidden(),
        lede: f.l.tr("signed-in-lede", &[("person", person.into()), ("client", client.into())]),
        f,
    };
    page::form(&html, StatusCode::OK, source(shown).as_deref(), ask)
}
