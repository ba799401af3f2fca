//! The texts of a page of an account about the last post.

use flows::account::{
    authenticator_apps::AppRefusal, methods::NameRefusal, page_notice::PageNotice,
    passkeys::PasskeyRefusal,
};
use flows::login::{
    method::HeldMethod,
    refusal::{CodeRefusal, PageMessage},
};
use store::Timestamp;

use super::{FormProblem, messages::PageText};

impl PageText<'_> {
    /// What was done.
    pub(crate) fn account_notice(&self, notice: Option<&PageNotice>) -> Option<&'static str> {
        let key = match notice? {
            PageNotice::AppAdded => "apps-added",
            PageNotice::AppRenamed => "apps-renamed",
            PageNotice::AppRemoved => "apps-removed",
            PageNotice::PasskeyAdded => "passkeys-added",
            PageNotice::PasskeyRemoved => "passkeys-removed",
            PageNotice::NoOtherMethod => "codes-need-method",
            PageNotice::AppRefused(..)
            | PageNotice::PasskeyRefused(_)
            | PageNotice::EmailCodes(_)
            | PageNotice::EmailCodesNeeded => return None,
        };
        Some(self.f.l.t(key))
    }

    /// What cannot be done about a method.
    pub(crate) fn account_problems(&self, notice: Option<&PageNotice>) -> Vec<FormProblem> {
        match notice {
            Some(PageNotice::AppRefused(refusal, _)) => vec![self.app_problem(refusal)],
            Some(PageNotice::PasskeyRefused(refusal)) => {
                vec![self.account_passkey_problem(*refusal)]
            }
            _ => Vec::new(),
        }
    }

    fn account_passkey_problem(&self, refusal: PasskeyRefusal) -> FormProblem {
        let l = self.f.l;
        let key = match refusal {
            PasskeyRefusal::TooMany(limit) => {
                let text = l.tr("passkeys-error-many", &[("limit", limit.into())]);
                return FormProblem::new("passkeys", text);
            }
            PasskeyRefusal::Over => "passkeys-error-over",
            PasskeyRefusal::NotVerified => "passkeys-error-not-verified",
            PasskeyRefusal::Invalid => "passkeys-error-invalid",
            PasskeyRefusal::Known => "passkeys-error-known",
            PasskeyRefusal::Name(NameRefusal::Empty) => "passkeys-error-name",
            PasskeyRefusal::Name(NameRefusal::Unsuitable) => "apps-error-name-unsuitable",
        };
        let text = l.t(key);
        FormProblem::new("passkeys", text).with_short(text.to_owned())
    }

    fn app_problem(&self, refusal: &AppRefusal) -> FormProblem {
        let l = self.f.l;
        match refusal {
            // The person has the secret: nothing is guessed, and no try is counted.
            AppRefusal::Code(CodeRefusal::Wrong(_)) => {
                FormProblem::new("code", l.t("apps-error-code"))
            }
            AppRefusal::Code(refusal) => {
                self.held_code_problem(HeldMethod::TOTP, PageMessage::ThisStep(*refusal))
            }
            AppRefusal::TooMany(limit) => {
                let text = l.tr("apps-error-many", &[("limit", (*limit).into())]);
                FormProblem::new("apps", text)
            }
            AppRefusal::Name(NameRefusal::Empty) => {
                FormProblem::new("name", l.t("apps-error-name"))
            }
            AppRefusal::Name(NameRefusal::Unsuitable) => {
                FormProblem::new("name", l.t("apps-error-name-unsuitable"))
            }
            AppRefusal::Over => FormProblem::new("apps", l.t("apps-error-over")),
        }
    }

    /// A day in the past: "24 November 2026".
    pub(crate) fn day(&self, at: Timestamp) -> String {
        self.f.l.day(at, self.zone)
    }
}
