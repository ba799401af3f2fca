//! Attempts: how a page names the authorization request that it belongs to.
//!
//! Before the first post there is no row: the page carries the checked request sealed, bound to the browser's cookie,
//! for 60 minutes (decision 12). After it, the page carries the id of the row, which is a name and not a secret: the
//! row is refused without the browser cookie that owns it.

use std::time::Duration;

use keys::DeviceToken;
use serde::{Deserialize, Serialize};
use store::{
    AttemptId, Sql, Timestamp, TokenHash,
    email_challenge::{self, ChallengeWithUser},
};

use crate::{
    Cx, Result,
    attempt_request::AttemptRequest,
    login::{goal::Goal, state::State},
    request::AuthorizationRequest,
};

/// How long a page without a row can be posted.
const SEALED_FOR: Duration = Duration::from_hours(1);
/// How long an attempt with a row can be continued.
const ROW_FOR: Duration = Duration::from_hours(24);
const SEALED_PREFIX: &str = "s.";
const AAD: &[u8] = b"vestibule/attempt/v1";

/// What identifies the browser of a request: hashes of its browser and session cookies, and the values of known devices.
#[derive(Clone, Debug)]
pub struct BrowserContext {
    /// The browser cookie's value; one is made for a browser that has none.
    pub browser: TokenHash,
    /// The session cookie's value.
    pub session: Option<TokenHash>,
    /// The values of known devices, each of one account.
    pub devices: Vec<DeviceToken>,
    /// Whether the request navigates a whole window, not a frame or a picture, as far as the browser says.
    pub top_level: bool,
    /// The reader of the answer, for the mails that it may cause.
    pub requester: Requester,
}

/// The reader of a page, as far as a mail that the page requests needs it.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The language of the page (BCP 47).
    pub language: &'static str,
    /// Browser and system, `Firefox/Windows`, if they are known ones; never a text that the browser sent.
    pub user_agent: Option<String>,
}

/// What a sealed page was made for: a consent page cannot be posted as anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Signing in.
    SignIn,
    /// Consent or confirmation by a session that the request was satisfied with.
    Ask,
}

#[derive(Serialize, Deserialize)]
struct SealedAttempt {
    id: AttemptId,
    browser: TokenHash,
    at: Timestamp,
    purpose: Purpose,
    /// The request of a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Box<AuthorizationRequest>>,
    /// The name of a page of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
}

impl SealedAttempt {
    /// What it answers; `None` if that is a page of another build.
    fn request(&mut self) -> Option<AttemptRequest> {
        match (self.request.take(), self.page.as_deref().and_then(Goal::from_name)) {
            (Some(request), _) => Some(AttemptRequest::Client(request)),
            (None, Some(Goal::Page(page))) => Some(AttemptRequest::Page(page)),
            (None, Some(Goal::Client) | None) => None,
        }
    }
}

/// An attempt that a post or a page names.
#[derive(Clone, Debug)]
pub enum Attempt {
    /// No row yet.
    Sealed {
        /// The id that the row will have.
        id: AttemptId,
        /// When the page was made.
        at: Timestamp,
        /// What the page was made for.
        purpose: Purpose,
        /// What it answers.
        request: AttemptRequest,
    },
    /// A row.
    Row(Box<LoadedAttempt>),
}

/// An attempt's row, parsed.
#[derive(Clone, Debug)]
pub struct LoadedAttempt {
    /// The row.
    pub row: store::attempt::Attempt,
    /// What it answers.
    pub request: AttemptRequest,
    /// The machine's state.
    pub state: State,
}

/// The result of looking up the name of an attempt.
#[derive(Clone, Debug)]
pub enum AttemptLookup {
    /// An attempt of this browser.
    ThisBrowser(Attempt),
    /// A completed attempt of this browser, named with the cookie that it had before (a double click).
    PreviousCookie(Box<LoadedAttempt>),
    /// A genuine page that can no longer be posted. Nothing is proven in it, so its request can be shown on a new one.
    Stale(Box<StalePage>),
    /// Nothing that can be continued: the browser starts again.
    NotFound,
}

/// The request of a page that can no longer be posted.
#[derive(Clone, Debug)]
pub struct StalePage {
    /// What it answers: a request as it was checked when the page was made.
    pub request: AttemptRequest,
    /// What the page was made for.
    pub purpose: Purpose,
    /// Why it cannot be posted.
    pub reason: StaleReason,
}

/// Why a page can no longer be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaleReason {
    /// Its browser has another cookie now: two tabs were opened at once, or another one signed in.
    OtherCookie,
    /// It was left open for longer than an hour.
    Old,
}

impl Attempt {
    /// What it answers.
    #[must_use]
    pub fn request(&self) -> &AttemptRequest {
        match self {
            Self::Sealed { request, .. } => request,
            Self::Row(loaded) => &loaded.request,
        }
    }

    /// When it began.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        match self {
            Self::Sealed { at, .. } => *at,
            Self::Row(loaded) => loaded.row.created_at,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> AttemptId {
        match self {
            Self::Sealed { id, .. } => *id,
            Self::Row(loaded) => loaded.row.id,
        }
    }

    /// The machine's state.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Sealed { .. } => State::Password,
            Self::Row(loaded) => loaded.state.clone(),
        }
    }
}

/// Seals a request for a page.
pub fn seal(
    cx: &Cx,
    browser: &TokenHash,
    purpose: Purpose,
    request: &AttemptRequest,
) -> Result<String> {
    let (request, page) = match request {
        AttemptRequest::Client(request) => (Some(request.clone()), None),
        AttemptRequest::Page(_) => (None, Some(request.goal().name().to_owned())),
    };
    let sealed = SealedAttempt {
        id: cx.new_id(),
        browser: browser.clone(),
        at: cx.now,
        purpose,
        request,
        page,
    };
    let text = cx.root.seal_text(&cx.rng, AAD, &serde_json::to_vec(&sealed)?)?;
    Ok(format!("{SEALED_PREFIX}{text}"))
}

/// What a page names: an attempt's row, or a request that may have none yet.
enum AttemptName {
    Row(AttemptId),
    Page(Box<SealedAttempt>, AttemptRequest),
}

impl AttemptName {
    const fn id(&self) -> AttemptId {
        match self {
            Self::Row(id) => *id,
            Self::Page(sealed, _) => sealed.id,
        }
    }
}

fn parse_name(cx: &Cx, name: &str) -> Option<AttemptName> {
    let Some(sealed) = name.strip_prefix(SEALED_PREFIX) else {
        return name.parse().ok().map(AttemptName::Row);
    };
    let (sealed, request) = open_sealed(cx, sealed)?;
    is_entitled(cx, &request).then(|| AttemptName::Page(Box::new(sealed), request))
}

/// The id of the attempt that a page names, whether or not it has a row.
pub(crate) fn id_of_name(cx: &Cx, name: &str) -> Option<AttemptId> {
    parse_name(cx, name).map(|named| named.id())
}

/// Whether the client of a request is still registered with the redirect URI. An attempt lives for a day, and its client may be
/// changed or removed meanwhile.
fn is_entitled(cx: &Cx, request: &AttemptRequest) -> bool {
    request.authorization().is_none_or(|request| cx.find_entitled_client(request).is_some())
}

/// Finds the attempt that a page names.
pub async fn find(
    cx: &Cx,
    sql: &mut impl Sql,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<AttemptLookup> {
    let Some(named) = parse_name(cx, name) else { return Ok(AttemptLookup::NotFound) };
    let row = store::attempt::by_id(sql, named.id()).await?;
    Ok(classify(cx, browser_context, named, row))
}

/// Like [`find`], with the mailed codes that its browser may still answer and their persons, in one statement.
pub(crate) async fn find_with_challenges(
    cx: &Cx,
    sql: &mut impl Sql,
    browser_context: &BrowserContext,
    name: &str,
) -> Result<(AttemptLookup, Vec<ChallengeWithUser>)> {
    let Some(named) = parse_name(cx, name) else {
        return Ok((AttemptLookup::NotFound, Vec::new()));
    };
    let purpose = email_challenge::ChallengePurpose::SignIn;
    let rows = store::attempt::by_id_with_challenges(sql, named.id(), purpose).await?;
    let (row, challenges) = rows.map_or((None, Vec::new()), |(row, all)| (Some(row), all));
    Ok((classify(cx, browser_context, named, row), challenges))
}

fn classify(
    cx: &Cx,
    browser_context: &BrowserContext,
    named: AttemptName,
    row: Option<store::attempt::Attempt>,
) -> AttemptLookup {
    match (row, named) {
        // Also when the same page is posted twice: the first post has created the row.
        (Some(row), _) => classify_row(cx, browser_context, row),
        (None, AttemptName::Row(_)) => AttemptLookup::NotFound,
        (None, AttemptName::Page(sealed, request)) => {
            let stale = stale_reason(cx, browser_context, &sealed);
            let SealedAttempt { id, at, purpose, .. } = *sealed;
            match stale {
                Some(reason) => {
                    AttemptLookup::Stale(Box::new(StalePage { request, purpose, reason }))
                }
                None => AttemptLookup::ThisBrowser(Attempt::Sealed { id, at, purpose, request }),
            }
        }
    }
}

/// The request of a page that has no row yet, without a query: the page can be shown again when the database is busy or
/// unavailable. The next post finds out whether a row was created meanwhile.
#[must_use]
pub fn open_sealed_request(
    cx: &Cx,
    browser_context: &BrowserContext,
    name: &str,
) -> Option<AttemptRequest> {
    let (sealed, request) = open_sealed(cx, name.strip_prefix(SEALED_PREFIX)?)?;
    let can_be_posted = stale_reason(cx, browser_context, &sealed).is_none();
    let can_be_posted = can_be_posted && is_entitled(cx, &request);
    (can_be_posted && sealed.purpose == Purpose::SignIn).then_some(request)
}

fn stale_reason(
    cx: &Cx,
    browser_context: &BrowserContext,
    sealed: &SealedAttempt,
) -> Option<StaleReason> {
    if sealed.browser != browser_context.browser {
        Some(StaleReason::OtherCookie)
    } else if cx.now.since(sealed.at) > SEALED_FOR {
        Some(StaleReason::Old)
    } else {
        None
    }
}

fn open_sealed(cx: &Cx, sealed: &str) -> Option<(SealedAttempt, AttemptRequest)> {
    let plain = cx.root.open_text(AAD, sealed).ok()?;
    let mut sealed: SealedAttempt = serde_json::from_slice(&plain).ok()?;
    let request = sealed.request()?;
    Some((sealed, request))
}

fn classify_row(
    cx: &Cx,
    browser_context: &BrowserContext,
    row: store::attempt::Attempt,
) -> AttemptLookup {
    let id = row.id;
    if cx.now.since(row.created_at) > ROW_FOR {
        return AttemptLookup::NotFound;
    }
    let Some(goal) = goal_of(&row) else {
        tracing::warn!(attempt = %id, goal = row.goal, "an attempt has a goal that this build does not know");
        return AttemptLookup::NotFound;
    };
    let (own, previous) = (
        row.browser == browser_context.browser,
        row.previous_browser.as_ref() == Some(&browser_context.browser),
    );
    if (own || previous)
        && let Some(client) = &row.client_id
    {
        cx.client_slot.set(client);
    }
    // A state that this build cannot read means "start again", not an error page.
    let (Ok(request), Ok(state)) =
        (AttemptRequest::parse(goal, &row.request), serde_json::from_str(&row.state))
    else {
        tracing::warn!(attempt = %id, "an attempt cannot be read by this build");
        return AttemptLookup::NotFound;
    };
    if (own || previous) && !is_entitled(cx, &request) {
        return AttemptLookup::NotFound;
    }
    let loaded = Box::new(LoadedAttempt { row, request, state });
    if own {
        AttemptLookup::ThisBrowser(Attempt::Row(loaded))
    } else if previous {
        AttemptLookup::PreviousCookie(loaded)
    } else {
        AttemptLookup::NotFound
    }
}

/// The goal of an attempt: its client, or a page of ours without one. `None` for a goal of another build.
fn goal_of(row: &store::attempt::Attempt) -> Option<Goal> {
    let fits = |goal: &Goal| matches!(goal, Goal::Client) == row.client_id.is_some();
    Goal::from_name(&row.goal).filter(fits)
}
