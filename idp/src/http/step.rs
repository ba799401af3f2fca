//! The table of sign-in steps. Paths, form tokens, the language switch and metrics take the names of a step from its row.

use flows::{audit::Event, login::NextStep};

/// A step of a sign-in, with a page of its own.
#[derive(Debug)]
pub struct Step {
    /// Path of its page. No path of a step is a prefix of another.
    pub path: &'static str,
    /// The name in its form tokens (decision 13).
    pub(crate) form_name: &'static str,
    /// Its name in metrics, and in the link of its page that switches the language.
    pub name: &'static str,
    /// The flow's name of it; none for a page that is never due, but chosen.
    pub(crate) leads_to: Option<NextStep>,
    /// The events whose outcomes are counted as those of the step.
    pub(crate) events: &'static [Event],
    /// Whether its post needs the hashing pool: then it is rejected cheaply while the pool is full (decision 17).
    pub(crate) needs_hashing: bool,
}

/// Address and password.
pub(crate) const PASSWORD: Step = Step {
    path: "/login/password",
    form_name: "password",
    name: "password",
    leads_to: Some(NextStep::Password),
    events: &[Event::PasswordChecked],
    needs_hashing: true,
};

/// The mailed code.
pub(crate) const CODE: Step = Step {
    path: "/login/code",
    form_name: "code",
    name: "code",
    leads_to: Some(NextStep::Code),
    events: &[Event::CodeChecked],
    needs_hashing: false,
};

/// A code of an authenticator app.
pub(crate) const TOTP: Step = Step {
    path: "/login/totp",
    form_name: "totp",
    name: "totp",
    leads_to: Some(NextStep::Totp),
    events: &[Event::TotpChecked],
    needs_hashing: false,
};

/// A recovery code.
pub(crate) const RECOVERY_CODE: Step = Step {
    path: "/login/recovery-code",
    form_name: "recovery_code",
    name: "recovery_code",
    leads_to: Some(NextStep::RecoveryCode),
    events: &[Event::RecoveryCodeChecked],
    needs_hashing: false,
};

/// A passkey: as the second step it has this page, as both steps the page of the password.
pub(crate) const PASSKEY: Step = Step {
    path: "/login/passkey",
    form_name: "passkey",
    name: "passkey",
    leads_to: Some(NextStep::Passkey),
    events: &[Event::PasskeyChecked],
    needs_hashing: false,
};

/// The choice of another method for the second step.
pub(crate) const OTHER_WAYS: Step = Step {
    path: "/login/other-ways",
    form_name: "other-ways",
    name: "other_ways",
    leads_to: None,
    events: &[],
    needs_hashing: false,
};

/// A new password, after a reset by staff.
pub(crate) const NEW_PASSWORD: Step = Step {
    path: "/login/new-password",
    form_name: "new-password",
    name: "new_password",
    leads_to: Some(NextStep::NewPassword),
    events: &[],
    needs_hashing: false,
};

/// Consent to scopes, or "Continue to X as Y".
pub(crate) const CONSENT: Step = Step {
    path: "/login/consent",
    form_name: "consent",
    name: "consent",
    leads_to: Some(NextStep::Complete),
    events: &[Event::ConsentGiven, Event::ConsentRefused],
    needs_hashing: false,
};

/// The parameter of the page of a step that carries what a post was refused for.
pub(crate) const REFUSED: &str = "refused";

/// Every step.
pub const STEPS: [&Step; 8] =
    [&PASSWORD, &CODE, &TOTP, &RECOVERY_CODE, &PASSKEY, &OTHER_WAYS, &NEW_PASSWORD, &CONSENT];

impl Step {
    /// The step with this name in the flow.
    pub(crate) fn for_next_step(due: NextStep) -> Option<&'static Self> {
        STEPS.into_iter().find(|step| step.leads_to == Some(due))
    }

    /// The step with this name.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        STEPS.into_iter().find(|step| step.name == name)
    }

    /// The step that counts an event.
    pub(crate) fn for_event(event: Event) -> Option<&'static Self> {
        STEPS.into_iter().find(|step| step.events.contains(&event))
    }

    /// The address of its page for an attempt, with what a post was refused for, sealed.
    pub(crate) fn address(&self, attempt: &str, refused: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("attempt", attempt);
        if let Some(refused) = refused {
            query.append_pair(REFUSED, refused);
        }
        format!("{}?{}", self.path, query.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn step_names_are_unique() {
        let unique = |of: fn(&Step) -> &'static str| {
            let values: HashSet<_> = STEPS.into_iter().map(of).collect();
            assert_eq!(values.len(), STEPS.len(), "{values:?}");
        };
        unique(|step| step.path);
        unique(|step| step.form_name);
        unique(|step| step.name);
        for step in STEPS {
            let due = step.leads_to.and_then(Step::for_next_step);
            assert_eq!(due.map(|found| found.name), step.leads_to.map(|_| step.name));
            for event in step.events {
                assert_eq!(Step::for_event(*event).map(|found| found.name), Some(step.name));
            }
        }
    }

    #[test]
    fn step_address_names_attempt() {
        assert_eq!(CODE.address("0197-a", None), "/login/code?attempt=0197-a");
        assert_eq!(CODE.address("a&b", Some("c=")), "/login/code?attempt=a%26b&refused=c%3D");
    }
}
