//! The texts of a page of an account about the last post.

use flows::account::{
    authenticator_apps::{AppRefusal, NameRefusal},
    page_notice::PageNotice,
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
            PageNotice::NoOtherMethod => "codes-need-method",
            PageNotice::AppRefused(..)
            | PageNotice::EmailCodes(_)
            | PageNotice::EmailCodesNeeded => return None,
        };
        Some(self.f.l.t(key))
    }

    /// What cannot be done about an app.
    pub(crate) fn account_problems(&self, notice: Option<&PageNotice>) -> Vec<FormProblem> {
        let Some(PageNotice::AppRefused(refusal, _)) = notice else { return Vec::new() };
        let l = self.f.l;
        vec![match refusal {
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
        }]
    }

    /// A day in the past: "24 November 2026".
    pub(crate) fn day(&self, at: Timestamp) -> String {
        self.f.l.day(at, self.zone)
    }
}
