//! The portal's own sessions, in the memory of this process, each under a random cookie.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use openidconnect::CsrfToken;

use super::pages::Person;
use super::provider::PendingSignIn;

/// The most sessions that are kept. The oldest is dropped first.
const SESSIONS_MAX: usize = 1000;
/// The most pending sign-ins of one browser (tabs).
const PENDING_MAX: usize = 8;

/// All sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_cookie: HashMap<String, PortalSession>,
    order: VecDeque<String>,
}

#[derive(Debug, Default)]
struct PortalSession {
    pending: VecDeque<PendingSignIn>,
    person: Option<Arc<Person>>,
    logout_state: Option<String>,
}

/// A session that has just ended, with what the logout request needs.
#[derive(Debug)]
pub(super) struct EndedSession {
    pub(super) person: Arc<Person>,
    pub(super) cookie: String,
    pub(super) state: CsrfToken,
}

impl Sessions {
    /// Stores a pending sign-in. Returns the cookie to set, which is the present one if it is known.
    pub(super) fn begin_sign_in(&self, cookie: Option<&str>, pending: PendingSignIn) -> String {
        let mut inner = self.lock();
        let known = cookie.filter(|cookie| inner.by_cookie.contains_key(*cookie));
        let cookie = known.map_or_else(|| inner.add(PortalSession::default()), str::to_owned);
        if let Some(session) = inner.by_cookie.get_mut(&cookie) {
            if session.pending.len() >= PENDING_MAX {
                session.pending.pop_front();
            }
            session.pending.push_back(pending);
        }
        cookie
    }

    /// Takes the pending sign-in of `state`, only for the browser that began it.
    pub(super) fn take_pending(&self, cookie: &str, state: &str) -> Option<PendingSignIn> {
        let mut inner = self.lock();
        let session = inner.by_cookie.get_mut(cookie)?;
        let nth = session.pending.iter().position(|pending| pending.state.secret() == state)?;
        session.pending.remove(nth)
    }

    /// Signs a person in under a new cookie. The old session is deleted.
    pub(super) fn sign_in(&self, cookie: &str, person: Person) -> String {
        let mut inner = self.lock();
        inner.remove(cookie);
        inner.add(PortalSession { person: Some(Arc::new(person)), ..PortalSession::default() })
    }

    /// The signed-in person of a session.
    pub(super) fn person(&self, cookie: &str) -> Option<Arc<Person>> {
        self.lock().by_cookie.get(cookie)?.person.clone()
    }

    /// Signs a person out if `form` is the form token of this session.
    pub(super) fn sign_out(&self, cookie: &str, form: &str) -> Option<EndedSession> {
        let mut inner = self.lock();
        let person = inner.by_cookie.get(cookie)?.person.clone()?;
        if person.form != form {
            return None;
        }
        inner.remove(cookie);
        let state = CsrfToken::new_random();
        let logout_state = Some(state.secret().clone());
        let cookie = inner.add(PortalSession { logout_state, ..PortalSession::default() });
        Some(EndedSession { person, cookie, state })
    }

    /// Whether this browser returns from the logout that it began; true only once.
    pub(super) fn finish_sign_out(&self, cookie: &str, state: &str) -> bool {
        let mut inner = self.lock();
        let Some(session) = inner.by_cookie.get_mut(cookie) else { return false };
        session.logout_state.take_if(|expected| expected == state).is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, session: PortalSession) -> String {
        while self.order.len() >= SESSIONS_MAX {
            let Some(first) = self.order.pop_front() else { break };
            self.by_cookie.remove(&first);
        }
        let cookie = CsrfToken::new_random_len(32).secret().clone();
        self.order.push_back(cookie.clone());
        self.by_cookie.insert(cookie.clone(), session);
        cookie
    }

    fn remove(&mut self, cookie: &str) {
        self.by_cookie.remove(cookie);
        self.order.retain(|kept| kept != cookie);
    }
}
