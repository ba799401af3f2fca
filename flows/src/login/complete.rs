//! The end of an attempt in the database: sign-in, session, new cookie values, and the answer to the client, as planned.

use keys::OpaqueToken;
use store::{
    SessionId, TokenHash, Tx, UserId,
    attempt::{BrowserChange, MoveScope},
    session::{LiveSession, SecretChange, Session, SessionWithConsent},
};

use super::{
    AfterSignIn, Answer, NewCookies, NextStep,
    apply::UnitOfWork,
    goal::Page,
    held_use,
    machine::SignInProof,
    method::Proof,
    plan::{self, BrowserValue, MoveSource, PresentedSession, Reply},
    record::record_sign_in,
    refund::{self, PendingRefund},
    state::{CompletedAttempt, State},
    throttle_subject::ThrottleSubject,
};
use crate::{
    Error, Result,
    audit::{self, event},
    authorize::{code_redirect, error_redirect},
    device,
    interaction::{self, Need, SignedInUser},
    session::{self, EndReason, SessionSelector},
    sign_in::SignIn,
    token::issue::{self, NewCode},
};

/// What the writes of a plan have created so far.
pub(super) struct Completion<'a> {
    work: &'a UnitOfWork<'a>,
    state: &'a State,
    /// The browser's new value, if no other cookie changes.
    browser: Option<OpaqueToken>,
    cookies: Option<NewCookies>,
    sign_in: Option<SignIn>,
    live: Option<SessionWithConsent>,
    destination: Option<AfterSignIn>,
    /// The session that was created here: live, because the person's row is locked.
    new_session: Option<LiveSession>,
    /// Whether a session was created here.
    has_begun_session: bool,
    /// Whether the attempts of the presented value were moved with this one.
    has_moved: bool,
    /// What must still be given back for the right code that completes the sign-in.
    refund_pending: Option<PendingRefund>,
}

impl<'a> Completion<'a> {
    pub(super) const fn of(work: &'a UnitOfWork<'a>, state: &'a State) -> Self {
        Self {
            work,
            state,
            browser: None,
            cookies: None,
            sign_in: None,
            live: None,
            destination: None,
            new_session: None,
            has_begun_session: false,
            has_moved: false,
            refund_pending: None,
        }
    }

    /// Uses a proof up, or fails with a conflict, and gives its try back. If the sign-in is complete with it, that follows
    /// when the counters of its network are cleared.
    pub(super) async fn consume(&mut self, tx: &mut Tx, user: UserId, proof: Proof) -> Result<()> {
        let (work, cx) = (self.work, self.work.cx);
        let group = match proof {
            Proof::Mailed(challenge) => refund::consume_challenge(cx, tx, challenge).await?,
            Proof::Held(held) => {
                held_use::consume(cx, tx, user, held).await?;
                work.guesses.clone()
            }
        };
        let throttle_subject = work.throttle_subject(tx).await?;
        let refund = PendingRefund { throttle_subject, charged: work.charged, group };
        if matches!(self.state, State::Complete(_)) {
            self.refund_pending = Some(refund);
            return Ok(());
        }
        refund.refund_all(cx, tx).await
    }

    /// The name of the method with which the sign-in is complete, to be asked for first the next time.
    pub(super) fn completing_method(&self) -> Option<&'static str> {
        match self.state {
            State::Complete(CompletedAttempt { proof: Some(proof), .. }) => {
                Some(proof.method().name_after_password())
            }
            _ => None,
        }
    }

    /// The next state, serialised.
    pub(super) fn state(&self) -> Result<String> {
        Ok(serde_json::to_string(self.state)?)
    }

    /// Records the sign-in: only the machine constructs `proof`. From here on the browser is a known device of the person.
    pub(super) async fn record(&mut self, tx: &mut Tx, proof: &SignInProof) -> Result<()> {
        let (work, cx) = (self.work, self.work.cx);
        let user = work.user()?;
        let sign_in =
            record_sign_in(cx, tx, proof, work.browser_context.requester.user_agent.clone())
                .await?;
        self.new_cookies(tx).await?;
        let refund = self.refund_pending.take();
        let right = refund.as_ref().and_then(PendingRefund::stranger_try);
        let failed = ThrottleSubject::clear_failures(cx, tx, &user.counter_name(), right).await?;
        work.failures.get_or_init(|| failed);
        if let Some(refund) = refund {
            refund.refund_site(cx, tx).await?;
        }
        let signed_in = event::SignedIn { sign_in: sign_in.id(), acr: sign_in.assurance().acr() };
        let entry =
            audit::AuditEntry::done(signed_in).user(user.id).client(work.request.client_id());
        audit::record(cx, tx, entry).await?;
        self.sign_in = Some(sign_in);
        Ok(())
    }

    pub(super) async fn end_session(&self, tx: &mut Tx, present: PresentedSession) -> Result<()> {
        let which = SessionSelector::One { session: present.id, user: present.user };
        session::end(self.work.cx, tx, which, EndReason::Replaced).await
    }

    pub(super) async fn begin_session(&mut self, tx: &mut Tx, session: SessionId) -> Result<()> {
        let cx = self.work.cx;
        let (sign_in, cookies) = (self.recorded_sign_in()?, self.cookies()?);
        let new = Session {
            id: session,
            sid: OpaqueToken::generate(&cx.rng).reveal().chars().take(22).collect(),
            secret: cookies.session.hash(),
            user_id: sign_in.user(),
            sign_in_id: sign_in.id(),
            epoch: sign_in.epoch(),
            created_at: cx.now,
            last_seen: cx.now,
            ended_at: None,
        };
        let (steps, user) = (sign_in.steps(), self.work.user()?);
        self.new_session = Some(store::session::insert(tx, &new, steps, user).await?);
        self.has_begun_session = true;
        Ok(())
    }

    pub(super) async fn rotate_session(&self, tx: &mut Tx, session: SessionId) -> Result<()> {
        let Some(from) = &self.work.browser_context.session else { return Err(Error::Conflict) };
        let to = self.cookies()?.session.hash();
        let (secret, sign_in) = (SecretChange { from, to: &to }, self.recorded_sign_in()?.id());
        or_conflict(store::session::rotate(tx, session, secret, sign_in, self.work.cx.now).await?)
    }

    pub(super) async fn replace_secret(&mut self, tx: &mut Tx, session: SessionId) -> Result<()> {
        self.new_cookies(tx).await?;
        let secret = self.cookies()?.session.hash();
        or_conflict(store::session::replace_secret(tx, session, &secret).await?)
    }

    pub(super) async fn void_codes(&self, tx: &mut Tx) -> Result<()> {
        store::auth_code::void_unredeemed(tx, self.row()?.id, self.work.cx.now).await?;
        Ok(())
    }

    /// Assigns the attempt with its next state to the browser's new value.
    pub(super) async fn hand_over(&mut self, tx: &mut Tx) -> Result<()> {
        let browser = OpaqueToken::generate(&self.work.cx.rng);
        let to = browser.hash();
        let posted = BrowserChange { from: &self.work.browser_context.browser, to: &to };
        let handed_over =
            store::attempt::advance_and_move(tx, self.row()?, &self.state()?, posted).await?;
        self.browser = Some(browser);
        or_conflict(handed_over)
    }

    pub(super) async fn complete(&mut self, tx: &mut Tx, value: BrowserValue) -> Result<()> {
        let from = &self.work.browser_context.browser;
        let (row, state, now) = (self.row()?, self.state()?, self.work.cx.now);
        or_conflict(match value {
            BrowserValue::Presented => {
                let change = BrowserChange { from, to: from };
                store::attempt::complete(tx, row, &state, change, now).await?
            }
            BrowserValue::New => {
                let change = BrowserChange { from, to: &self.new_browser()? };
                self.has_moved = true;
                store::attempt::complete_and_move(tx, row, &state, change, now).await?
            }
        })
    }

    pub(super) async fn move_browser(
        &self,
        tx: &mut Tx,
        from: MoveSource,
        moves: plan::MovedAttempts,
    ) -> Result<()> {
        let row = self.row()?;
        let from = match from {
            MoveSource::ByPresented => &self.work.browser_context.browser,
            MoveSource::ByRow => &row.browser,
        };
        let moves = match moves {
            plan::MovedAttempts::All => MoveScope::All,
            plan::MovedAttempts::ThisAndUnmoved => MoveScope::ThisAndUnmoved(row.id),
        };
        let to = self.new_browser()?;
        if !self.has_moved {
            store::attempt::move_browser(tx, BrowserChange { from, to: &to }, moves).await?;
        }
        store::email_challenge::move_browser(tx, from, &to).await?;
        Ok(())
    }

    /// Reads the session that the browser has from now on.
    pub(super) async fn load_live_session(
        &mut self,
        tx: &mut Tx,
        session: SessionId,
    ) -> Result<()> {
        let (work, cx) = (self.work, self.work.cx);
        if let Some(live) = self.new_session.take().filter(|begun| begun.id == session) {
            self.live = Some(session::with_consent(cx, tx, live, work.request.client_id()).await?);
            return Ok(());
        }
        let new = self.cookies.as_ref().map(|cookies| cookies.session.hash());
        let secret = new.as_ref().or(work.browser_context.session.as_ref());
        let found = session::live_with_consent(cx, tx, secret, work.request.client_id()).await?;
        let Some(found) = found.filter(|found| found.session.id == session) else {
            return Err(Error::Conflict);
        };
        if self.cookies.is_none() {
            session::touch(cx, tx, &found.session).await?;
        }
        self.live = Some(found);
        Ok(())
    }

    /// Answers the client by the session, or asks the person first.
    pub(super) async fn answer_client(&mut self, tx: &mut Tx, is_fresh: bool) -> Result<()> {
        let (work, cx) = (self.work, self.work.cx);
        let (Some(session), Some(request)) = (&self.live, work.request.authorization()) else {
            return Err(Error::Conflict);
        };
        let Some(client) = cx.find_client(&request.client_id) else { return Err(Error::Conflict) };
        let sign_in = SignIn::of_session(&session.session);
        let fresh = is_fresh || sign_in.auth_time() >= work.started_at;
        let signed_in = SignedInUser { session, fresh, confirmed: false };
        self.destination =
            Some(match interaction::decide(request, client, Some(signed_in), cx.now) {
                Need::Nothing => {
                    let session = session.session.id;
                    let new = NewCode {
                        sign_in: &sign_in,
                        session,
                        attempt: Some(work.id),
                        is_first: self.has_begun_session,
                    };
                    let code = issue::authorization_code(cx, tx, request, new).await?;
                    AfterSignIn::Client(code_redirect(cx, request, code.reveal()))
                }
                Need::Refuse(error) => AfterSignIn::Client(error_redirect(cx, request, &error)),
                need => AfterSignIn::Ask(work.id, need),
            });
        Ok(())
    }

    /// Ends at a page of ours, which reads the session itself.
    pub(super) fn go_to(&mut self, page: Page) {
        self.destination = Some(AfterSignIn::Page(page));
    }

    /// The answer to the post; `due` if the attempt continues as it is.
    pub(super) fn answer(self, reply: Reply, due: Answer) -> Result<Answer> {
        match (reply, self.destination) {
            (Reply::NextStep, _) => Ok(due),
            (Reply::BrowserChanged, _) => {
                let (id, due) = (self.work.id, NextStep::of(self.state));
                let browser = self.browser.ok_or(Error::Conflict)?;
                Ok(Answer::BrowserChanged { id, next_step: due, browser })
            }
            (Reply::Followed, Some(to)) => Ok(Answer::SignedIn { cookies: None, destination: to }),
            (Reply::SignedIn, Some(to)) => {
                Ok(Answer::SignedIn { cookies: self.cookies, destination: to })
            }
            (Reply::Followed | Reply::SignedIn, None) => Err(Error::Conflict),
        }
    }

    fn row(&self) -> Result<&'a store::attempt::Attempt> {
        self.work.row.ok_or(Error::Conflict)
    }

    fn recorded_sign_in(&self) -> Result<&SignIn> {
        self.sign_in.as_ref().ok_or(Error::Conflict)
    }

    fn cookies(&self) -> Result<&NewCookies> {
        self.cookies.as_ref().ok_or(Error::Conflict)
    }

    fn new_browser(&self) -> Result<TokenHash> {
        match (&self.browser, &self.cookies) {
            (Some(browser), _) => Ok(browser.hash()),
            (None, Some(cookies)) => Ok(cookies.browser.hash()),
            (None, None) => Err(Error::Conflict),
        }
    }

    async fn new_cookies(&mut self, tx: &mut Tx) -> Result<()> {
        let work = self.work;
        self.cookies = Some(NewCookies {
            browser: OpaqueToken::generate(&work.cx.rng),
            session: OpaqueToken::generate(&work.cx.rng),
            devices: device::renew(work.cx, tx, work.browser_context, work.user()?).await?,
        });
        Ok(())
    }
}

/// An error for a guard that did not hold: another request was faster.
const fn or_conflict(held: bool) -> Result<()> {
    if held { Ok(()) } else { Err(Error::Conflict) }
}
