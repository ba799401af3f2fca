//! Where an attempt ends: at the client whose request it answers, or at a page of ours from a closed list.
//!
//! An attempt has its goal from its first row on, and no parameter of a request names a page. Both goals are reached by the
//! same steps: the machine passes the goal on with the sign-in, and uses it nowhere else.

/// Where an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// At the client, with the answer to its authorization request.
    Client,
    /// At a page of ours, with only the session.
    Page(Page),
}

/// A page of ours at which an attempt can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    name: &'static str,
    path: &'static str,
}

/// Every such page.
const PAGES: &[Page] = &[];

impl Page {
    /// Its path at the issuer.
    #[must_use]
    pub const fn path(self) -> &'static str {
        self.path
    }

    #[cfg(test)]
    pub(super) const fn assume(name: &'static str, path: &'static str) -> Self {
        Self { name, path }
    }
}

impl Goal {
    /// The goal of this name in `attempts.goal`; `None` if it is one of another build.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        if name == store::attempt::GOAL_CLIENT {
            return Some(Self::Client);
        }
        PAGES.iter().find(|page| page.name == name).map(|page| Self::Page(*page))
    }

    /// Its name in `attempts.goal`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => store::attempt::GOAL_CLIENT,
            Self::Page(page) => page.name,
        }
    }
}
