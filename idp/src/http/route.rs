//! A route: its columns in the table of routes (`routes.rs`), and what they mean.

use super::step::Step;

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Path.
    pub path: &'static str,
    /// Methods. GET may include HEAD: see [`Route::answers_head`].
    pub methods: &'static [&'static str],
    /// Class: what surrounds the handlers.
    pub class: Class,
    /// Who calls it; this decides the extractor of its handlers.
    pub caller: Caller,
    /// The sign-in step that it is the page of.
    pub step: Option<&'static Step>,
}

impl Route {
    /// Whether it answers HEAD: where the handler sees neither cookie nor credential, so that it cannot act for a
    /// person, and nowhere else (misuse case 19).
    #[must_use]
    pub fn answers_head(&self) -> bool {
        self.caller == Caller::Anyone && self.methods.contains(&"GET")
    }

    /// The methods that it has, for `Allow` (RFC 9110, section 10.2.1).
    pub(super) fn allowed_methods(&self) -> String {
        let head = self.answers_head().then_some("HEAD");
        self.methods.iter().copied().chain(head).collect::<Vec<_>>().join(",")
    }

    /// The protection space that a challenge names (RFC 9110, section 11.5): the last segment of the path.
    pub(super) fn realm(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Who calls a route. Each kind has one extractor (`extract/`), which verifies the kind. A handler that takes another
/// extractor than its route's does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Any program or browser, without authentication.
    Anyone,
    /// A browser with its cookies, whether or not it is signed in.
    Browser,
    /// A registered client that has authenticated (RFC 6749, section 2.3).
    Client,
    /// The holder of an access token that was issued for this scope (RFC 6750).
    Bearer(&'static str),
}

/// A kind of route. Its rules are its [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Public metadata, keys, style sheets.
    Document,
    /// Pages and forms of a browser.
    Page,
    /// Where clients send browsers, from any site, with GET and POST.
    Entry,
    /// Called by clients.
    Client,
    /// Called with an access token.
    Bearer,
}

/// What surrounds the handlers of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who reads the answers.
    pub audience: Audience,
    /// The origins whose pages may read the answers.
    pub origins: Origins,
    /// Which posts are accepted.
    pub posts: Posts,
    /// Whether the answer is the same for every caller, and depends on neither the database nor the clock. Then it may be
    /// cached, and is given while the clock of the replica is off.
    pub is_constant: bool,
}

/// Who reads the answers of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// People: a failure is a page, and pages have the headers that protect them.
    People,
    /// Programs: a failure is JSON.
    Programs,
}

/// The origins whose pages may read the answers of a route (Fetch, "CORS protocol").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Every origin.
    Any,
    /// The origins of public clients that run in a browser.
    Clients,
    /// Our own origin only.
    SameOrigin,
}

/// Which posts a route accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posts {
    /// From every site. None is counted against its network.
    FromAnySite,
    /// From our own pages only. Each is counted against its network.
    FromOwnPages,
}

impl Class {
    /// Name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Page => "page",
            Self::Entry => "entry",
            Self::Client => "client",
            Self::Bearer => "bearer",
        }
    }

    /// What surrounds its handlers.
    #[must_use]
    pub const fn policy(self) -> Policy {
        let (audience, origins, posts, is_constant) = match self {
            Self::Document => (Audience::Programs, Origins::Any, Posts::FromAnySite, true),
            Self::Page => (Audience::People, Origins::SameOrigin, Posts::FromOwnPages, false),
            Self::Entry => (Audience::People, Origins::SameOrigin, Posts::FromAnySite, false),
            Self::Client | Self::Bearer => {
                (Audience::Programs, Origins::Clients, Posts::FromAnySite, false)
            }
        };
        Policy { audience, origins, posts, is_constant }
    }

    /// Whether a person reads the answers.
    #[must_use]
    pub const fn is_for_people(self) -> bool {
        matches!(self.policy().audience, Audience::People)
    }
}
