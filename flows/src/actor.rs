//! The actor of an event, as the audit trail names it.

use std::fmt;

/// Who acts. Only [`fmt::Display`] distinguishes the kinds, so another one (a member of staff, with id and role) is a
/// variant and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person: a browser, or an app with the person's access token.
    Person,
    /// A client, by a call of its own.
    Client,
    /// A user of the machine, by a command.
    Cli(CliUser),
    /// A part of the program itself: `start`, `mail`, `dev`.
    System(&'static str),
}

impl Actor {
    /// Whether the user is known only by an id of a user namespace.
    pub(crate) fn is_in_user_namespace(&self) -> bool {
        matches!(self, Self::Cli(user) if user.in_user_namespace)
    }

    /// The user behind `root`, by a claim that nothing proves.
    pub(crate) fn sudo_user(&self) -> Option<&str> {
        match self {
            Self::Cli(user) => user.sudo_user.as_deref(),
            Self::Person | Self::Client | Self::System(_) => None,
        }
    }
}

impl fmt::Display for Actor {
    /// As in the trail: `person`, `client`, `cli:NAME`, `system:PART`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person => f.write_str("person"),
            Self::Client => f.write_str("client"),
            Self::Cli(user) => write!(f, "cli:{}", user.name),
            Self::System(part) => write!(f, "system:{part}"),
        }
    }
}

/// The user of the machine who gave a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliUser {
    /// Name in the system's list of users; `#UID` for a user without one.
    pub name: String,
    /// The user that `sudo` names, if the command ran as root. Root can set the variable to anything, so it is a claim and
    /// never the actor.
    pub sudo_user: Option<String>,
    /// Whether it ran in a user namespace (`user_namespaces(7)`), whose ids are not those of the machine: then `name` is
    /// `#UID`.
    pub in_user_namespace: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_text_format_is_stable() {
        let user = CliUser {
            name: "wiremu".to_owned(),
            sudo_user: Some("aroha".to_owned()),
            in_user_namespace: false,
        };
        for (actor, text) in [
            (Actor::Person, "person"),
            (Actor::Client, "client"),
            (Actor::Cli(user), "cli:wiremu"),
            (Actor::System("mail"), "system:mail"),
        ] {
            assert_eq!(actor.to_string(), text);
        }
    }
}
