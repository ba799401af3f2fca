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
    /// Whether only the strongest second step that the account has leads to it.
    is_guarded: bool,
}

/// Every such page.
const PAGES: &[Page] = &[
    Page::ACCOUNT,
    Page::ACCOUNT_CHANGE,
    Page::AUTHENTICATOR_APPS,
    Page::PASSKEYS,
    Page::RECOVERY_CODES,
];

impl Page {
    /// The overview of an account.
    pub const ACCOUNT: Self = Self { name: "account", path: "/account", is_guarded: false };
    /// The same page, to change something on it.
    const ACCOUNT_CHANGE: Self =
        Self { name: "account_change", path: "/account", is_guarded: true };
    /// The authenticator apps of an account.
    pub const AUTHENTICATOR_APPS: Self =
        Self { name: "authenticator_apps", path: "/account/authenticator-apps", is_guarded: true };
    /// The passkeys of an account.
    pub const PASSKEYS: Self =
        Self { name: "passkeys", path: "/account/passkeys", is_guarded: true };
    /// The recovery codes of an account.
    pub const RECOVERY_CODES: Self =
        Self { name: "recovery_codes", path: "/account/recovery-codes", is_guarded: true };

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The page of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        PAGES.iter().find(|page| page.name == name).copied()
    }

    /// The page as the goal of a sign-in after which something can be changed on it.
    #[must_use]
    pub fn for_change(self) -> Self {
        if self == Self::ACCOUNT { Self::ACCOUNT_CHANGE } else { self }
    }

    /// Its path at the issuer.
    #[must_use]
    pub const fn path(self) -> &'static str {
        self.path
    }

    #[cfg(test)]
    pub(super) const fn assume(name: &'static str, path: &'static str) -> Self {
        Self { name, path, is_guarded: false }
    }
}

impl Goal {
    /// Whether only the strongest second step that the account has leads to it.
    pub(super) const fn is_guarded(self) -> bool {
        matches!(self, Self::Page(Page { is_guarded: true, .. }))
    }

    /// The goal of this name in `attempts.goal`; `None` if it is one of another build.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        if name == store::attempt::GOAL_CLIENT {
            return Some(Self::Client);
        }
        Page::from_name(name).map(Self::Page)
    }

    /// Its name in `attempts.goal`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => store::attempt::GOAL_CLIENT,
            Self::Page(page) => page.name,
        }
    }
}
