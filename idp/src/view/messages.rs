//! The texts of a page about a refusal: what is wrong, and what to do.

use std::time::Duration;

use flows::{
    account::password::BadPassword,
    email::BadEmail,
    login::{
        CodeValidity, CodeView, MailStatus,
        refusal::{CodeRefusal, MailRefusal, MailedCodeRefusal, PageMessage, PasswordRefusal},
    },
    network::RateLimited,
};
use jiff::tz::TimeZone;
use store::Timestamp;

use super::{FormProblem, Frame};
use crate::clock::is_same_day;

/// The texts of a page, in its language and time zone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageText<'a> {
    /// The frame of the page.
    pub(crate) f: Frame<'a>,
    /// The zone of its clock times.
    pub(crate) zone: &'a TimeZone,
    /// The time of the request.
    pub(crate) now: Timestamp,
}

impl PageText<'_> {
    /// A clock time in the past, or a deadline: floored to the minute.
    pub(crate) fn clock_time(&self, at: Timestamp) -> String {
        self.f.l.clock_time(at, self.zone)
    }

    /// "at 9:41 am", "tomorrow at 9:41 am". Rounded up, so that a request at the shown time is granted.
    pub(crate) fn when(&self, at: Timestamp) -> String {
        let at = at.plus(Duration::from_millis(59_999));
        let today = is_same_day(at, self.now, self.zone);
        let key = if today { "clock-today" } else { "clock-tomorrow" };
        self.f.l.tr(key, &[("time", self.clock_time(at).into())])
    }

    /// A problem of the password form.
    pub(crate) fn password_problem(&self, message: PageMessage<PasswordRefusal>) -> FormProblem {
        let l = self.f.l;
        match message {
            PageMessage::ThisStep(PasswordRefusal::Wrong) => {
                FormProblem::new("password", l.t("password-error-wrong"))
            }
            PageMessage::ThisStep(PasswordRefusal::Paused(until)) => {
                let when = ("when", self.when(until).into());
                FormProblem::new("password", l.tr("password-error-paused", &[when]))
            }
            PageMessage::NetworkPaused(rate_limited) => FormProblem::new(
                "password",
                self.network_limit_text("password-error-network", rate_limited),
            ),
            PageMessage::OtherStep => FormProblem::new("email", l.t("password-error-again")),
        }
    }

    /// The hashing pool is full.
    pub(crate) fn busy_problem(&self) -> FormProblem {
        FormProblem::new("password", self.f.l.t("password-error-busy"))
    }

    /// A dependency is unavailable. The reference finds the line in the log.
    pub(crate) fn unavailable_problem(&self, reference: &str) -> FormProblem {
        let reference = ("reference", reference.into());
        FormProblem::new("password", self.f.l.tr("password-error-away", &[reference]))
    }

    /// An invalid e-mail address.
    pub(crate) fn email_problem(&self, bad: BadEmail) -> FormProblem {
        let key = match bad {
            BadEmail::Empty => "password-error-email-empty",
            BadEmail::Shape => "password-error-email-shape",
            BadEmail::Invisible => "password-error-email-invisible",
            BadEmail::Quoted => "password-error-email-quoted",
            BadEmail::Domain => "password-error-email-domain",
            BadEmail::Long => "password-error-email-long",
        };
        FormProblem::new("email", self.f.l.t(key))
    }

    /// No password was typed.
    pub(crate) fn missing_password(&self) -> FormProblem {
        FormProblem::new("password", self.f.l.t("password-error-empty"))
    }

    /// Which network is beyond its limit, and until when.
    fn network_limit_text(&self, key: &str, rate_limited: RateLimited) -> String {
        let network = ("network", rate_limited.size.to_string().into());
        self.f.l.tr(key, &[network, ("when", self.when(rate_limited.until).into())])
    }

    /// A problem of the code form.
    pub(crate) fn code_problem(
        &self,
        view: &CodeView,
        message: PageMessage<MailedCodeRefusal>,
    ) -> FormProblem {
        let reference = ("reference", view.reference.as_str().into());
        let text = match message {
            PageMessage::ThisStep(MailedCodeRefusal::Typed(refusal)) => {
                self.code_refusal_text(view, refusal)
            }
            PageMessage::ThisStep(MailedCodeRefusal::Mail(refusal)) => {
                self.mail_refusal_text(view, refusal)
            }
            PageMessage::NetworkPaused(rate_limited) => {
                self.network_limit_text("code-error-network", rate_limited)
            }
            PageMessage::OtherStep => self.f.l.tr("code-error-moved", &[reference]),
        };
        let is_about_sending = matches!(
            message,
            PageMessage::ThisStep(MailedCodeRefusal::Mail(MailRefusal::SendLater(_)))
        );
        // A page without the code field has the button that sends a code, or the line that says when it can be sent.
        let field = if is_about_sending || !takes_code(view) { "resend" } else { "code" };
        FormProblem::new(field, text)
    }

    fn code_refusal_text(&self, view: &CodeView, refusal: CodeRefusal) -> String {
        let l = self.f.l;
        match refusal {
            CodeRefusal::NotSixDigits(0) => l.t("code-error-empty").to_owned(),
            CodeRefusal::NotSixDigits(count) => {
                l.tr("code-error-length", &[("count", count.into())])
            }
            CodeRefusal::NotDigits => l.t("code-error-digits").to_owned(),
            CodeRefusal::Wrong(left) => {
                let reference = ("reference", view.reference.as_str().into());
                l.tr("code-error-wrong", &[reference, ("left", left.into())])
            }
            CodeRefusal::Used => l.t("code-error-used").to_owned(),
            CodeRefusal::Paused(until) => {
                l.tr("code-error-paused", &[("when", self.when(until).into())])
            }
        }
    }

    fn mail_refusal_text(&self, view: &CodeView, refusal: MailRefusal) -> String {
        let l = self.f.l;
        let reference = ("reference", view.reference.as_str().into());
        match refusal {
            // The new mail may not have been sent: a person's mails have a limit.
            MailRefusal::Late
                if view.validity != CodeValidity::Valid && view.delivery != MailStatus::Pending =>
            {
                l.t("code-error-late-unsent").to_owned()
            }
            MailRefusal::Late => l.t("code-error-late").to_owned(),
            MailRefusal::Expired if view.delivery == MailStatus::NotSent => {
                l.t("code-error-expired-unsent").to_owned()
            }
            MailRefusal::Expired => l.tr("code-error-expired", &[reference]),
            MailRefusal::Superseded => l.tr("code-error-superseded", &[reference]),
            MailRefusal::OtherBrowser => l.tr("code-error-browser", &[reference]),
            MailRefusal::Exhausted => l.t("code-error-exhausted").to_owned(),
            MailRefusal::SendLater(until) => {
                l.tr("code-error-send-later", &[("when", self.when(until).into())])
            }
        }
    }

    /// A problem of the new password.
    pub(crate) fn new_password_problem(
        &self,
        message: PageMessage<BadPassword>,
        empty: bool,
    ) -> FormProblem {
        let l = self.f.l;
        let text = match message {
            PageMessage::ThisStep(bad) if !empty => match bad {
                BadPassword::Short(length) => l.tr("new-error-short", &[("length", length.into())]),
                BadPassword::Long => l.t("new-error-long").to_owned(),
                BadPassword::Common => l.t("new-error-common").to_owned(),
                BadPassword::ContextSpecific => l.t("new-error-own").to_owned(),
                BadPassword::Repetitive => l.t("new-error-repetitive").to_owned(),
                BadPassword::Unchanged => l.t("new-error-same").to_owned(),
            },
            // A rate-limited network has a page of its own. After a post to another step this one is still to be answered.
            PageMessage::ThisStep(_) | PageMessage::NetworkPaused(_) | PageMessage::OtherStep => {
                l.t("new-error-empty").to_owned()
            }
        };
        FormProblem::new("new_password", text)
    }

    /// What a scope gives access to, in plain words.
    pub(crate) fn scope_text(&self, scope: &str) -> Option<&'static str> {
        let key = match scope {
            "openid" => "consent-openid",
            "profile" => "consent-profile",
            "email" => "consent-email",
            "address" => "consent-address",
            "phone" => "consent-phone",
            _ => return None,
        };
        Some(self.f.l.t(key))
    }
}

/// Whether the code page has its field: not when no code can succeed.
pub(crate) fn takes_code(view: &CodeView) -> bool {
    let works = match view.validity {
        CodeValidity::Valid => true,
        CodeValidity::Late => view.delivery == MailStatus::Pending,
        CodeValidity::Expired => false,
    };
    let was_mailed = match view.delivery {
        MailStatus::Pending | MailStatus::Accepted => true,
        // An earlier mail with the same code may have arrived.
        MailStatus::Refused => view.accepted_at.is_some(),
        MailStatus::NotSent => false,
    };
    works && was_mailed && !view.exhausted
}
