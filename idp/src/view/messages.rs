//! The texts of a page about a refusal: what is wrong, and what to do.

use std::time::Duration;

use flows::{
    account::password::BadPassword,
    attempt::StaleReason,
    email::BadEmail,
    login::{
        CodeValidity, CodeView, MailStatus, ResendTime,
        method::HeldMethod,
        refusal::{
            CodeRefusal, MailRefusal, MailedCodeRefusal, PageMessage, PasskeyRefusal,
            PasswordRefusal,
        },
    },
    network::RateLimited,
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use store::Timestamp;

use super::{FormProblem, Frame, SharedData};
use crate::clock::{is_near_clock_change, is_same_day};

/// A wait for the next mail that a person can sit out: it is shown in seconds, beside the button.
pub(crate) const SHORT_WAIT: Duration = Duration::from_mins(2);

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
    /// A clock time in the past, or a deadline: floored to the minute. Its zone is beside it within a day of a change of the
    /// clocks.
    pub(crate) fn clock_time(&self, at: Timestamp) -> String {
        if is_near_clock_change(self.now, self.zone) {
            return self.f.l.clock_time_with_zone(at, self.zone);
        }
        self.f.l.clock_time(at, self.zone)
    }

    /// "at 9:41 am (in about 5 minutes)", "tomorrow at 9:41 am (in about 20 hours)". Rounded up: what is requested at the
    /// stated time is granted. The length helps a reader in another time zone.
    pub(crate) fn when(&self, at: Timestamp) -> String {
        let length = self.length(at.since(self.now));
        let at = at.plus(Duration::from_millis(59_999));
        let today = is_same_day(at, self.now, self.zone);
        let key = if today { "clock-today" } else { "clock-tomorrow" };
        self.f.l.tr(key, &[("time", self.clock_time(at).into()), ("length", length.into())])
    }

    /// "9:56 am (for 12 more minutes)". Rounded down.
    pub(crate) fn until(&self, at: Timestamp) -> String {
        let minutes = at.since(self.now).as_secs() / 60;
        let time = ("time", self.clock_time(at).into());
        self.f.l.tr("clock-until", &[time, ("minutes", minutes.into())])
    }

    /// When a code can be requested again. Rounded up, so that a request at the shown time is granted.
    pub(crate) fn resend_wait(&self, at: Timestamp) -> String {
        let wait = at.since(self.now);
        if wait > SHORT_WAIT {
            return self.f.l.tr("code-resend-later", &[("when", self.when(at).into())]);
        }
        let seconds = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        self.f.l.tr("code-resend-soon", &[("seconds", seconds.into())])
    }

    /// "5 minutes", "2 hours": rounded up to minutes, and from an hour and a half on to hours.
    fn length(&self, length: Duration) -> String {
        self.f.l.length(length.as_secs().div_ceil(60).max(1))
    }

    /// The problems of the password form.
    pub(crate) fn password_problems(
        &self,
        message: PageMessage<PasswordRefusal>,
    ) -> Vec<FormProblem> {
        let l = self.f.l;
        let (field, text) = match message {
            PageMessage::ThisStep(PasswordRefusal::Fields { email, no_password }) => {
                let no_password = no_password.then(|| self.missing_password());
                return email
                    .map(|bad| self.email_problem(bad))
                    .into_iter()
                    .chain(no_password)
                    .collect();
            }
            PageMessage::ThisStep(PasswordRefusal::Wrong) => {
                ("password", l.t("password-error-wrong").to_owned())
            }
            PageMessage::ThisStep(PasswordRefusal::Paused(until)) => {
                return vec![self.paused_password_problem(until)];
            }
            PageMessage::ThisStep(PasswordRefusal::Stale(StaleReason::OtherCookie)) => {
                ("password", l.t("password-error-other-tab").to_owned())
            }
            PageMessage::ThisStep(PasswordRefusal::Stale(StaleReason::Old)) => {
                ("password", l.t("password-error-old").to_owned())
            }
            PageMessage::NetworkPaused(rate_limited) => {
                ("password", self.network_limit_text("password-error-network", rate_limited))
            }
            PageMessage::OtherStep => ("password", l.t("password-error-again").to_owned()),
        };
        vec![FormProblem::new(field, text)]
    }

    /// Too many wrong passwords: until when, and what can be done meanwhile. It is the same for an address without an
    /// account.
    fn paused_password_problem(&self, until: Timestamp) -> FormProblem {
        let l = self.f.l;
        let text = l.tr("password-error-paused", &[("when", self.when(until).into())]);
        let ways = ["password-way-later", "paused-way-device", "password-way-help"];
        FormProblem::new("password", text).with_ways(ways.map(|key| l.t(key)).to_vec())
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

    /// A problem of the code form. The page of a code whose time is over, and that of a pause, say so themselves; and a right
    /// code that was late is no problem of the person's.
    pub(crate) fn code_problem(
        &self,
        view: &CodeView,
        message: PageMessage<MailedCodeRefusal>,
    ) -> Option<FormProblem> {
        if self.code_notice(view, message).is_some() {
            return None;
        }
        let reference = ("reference", view.reference.as_str().into());
        let text = match message {
            PageMessage::ThisStep(MailedCodeRefusal::Typed(CodeRefusal::Wrong(1..)))
                if !takes_code(view) =>
            {
                return None;
            }
            // The mail came and its time is over again, or the server refused it: the page says so.
            PageMessage::ThisStep(MailedCodeRefusal::Mail(MailRefusal::Late))
                if !takes_code(view)
                    && (view.resend == ResendTime::Now || view.delivery == MailStatus::Refused) =>
            {
                return None;
            }
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
        // Without the code field, the next step is the button that sends a code, or the line with its time.
        let field = if is_about_sending || !takes_code(view) { "resend" } else { "code" };
        let problem = FormProblem::new(field, text).with_reference(&view.reference);
        Some(match message {
            PageMessage::ThisStep(MailedCodeRefusal::Typed(CodeRefusal::Wrong(left @ 1..))) => {
                let short = self.f.l.tr("code-error-wrong-short", &[("left", left.into())]);
                problem.with_short(short)
            }
            _ => problem,
        })
    }

    /// What the page says of a right code that came late: it is in its field again, and is sent with one press.
    pub(crate) fn code_notice(
        &self,
        view: &CodeView,
        message: PageMessage<MailedCodeRefusal>,
    ) -> Option<&'static str> {
        let is_late = message == PageMessage::ThisStep(MailedCodeRefusal::Mail(MailRefusal::Late));
        (is_late && takes_code(view)).then(|| self.f.l.t("code-notice-late"))
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
            CodeRefusal::Paused(until) => self.paused_code_text(until),
            // Of an app and of a sheet, which have pages of their own.
            CodeRefusal::ClockOff(_) | CodeRefusal::NotRecoveryCode(_) => {
                l.t("code-error-empty").to_owned()
            }
        }
    }

    fn paused_code_text(&self, until: Timestamp) -> String {
        self.f.l.tr("code-error-paused", &[("when", self.when(until).into())])
    }

    /// A problem of a code that the person holds.
    pub(crate) fn held_code_problem(
        &self,
        method: HeldMethod,
        message: PageMessage<CodeRefusal>,
    ) -> FormProblem {
        let text = match message {
            PageMessage::ThisStep(refusal) => self.held_code_text(method, refusal),
            PageMessage::NetworkPaused(rate_limited) => {
                self.network_limit_text("code-error-network", rate_limited)
            }
            PageMessage::OtherStep => self.f.l.t("held-code-error-moved").to_owned(),
        };
        FormProblem::new("code", text)
    }

    /// What is wrong with a passkey.
    /// Its link leads to the button, or to `other_way` where that would only fail again.
    pub(crate) fn passkey_problem(
        &self,
        message: PageMessage<PasskeyRefusal>,
        other_way: &'static str,
    ) -> FormProblem {
        let key = match message {
            PageMessage::ThisStep(PasskeyRefusal::Over) => "passkey-error-over",
            PageMessage::ThisStep(PasskeyRefusal::Unknown) => "passkey-error-unknown",
            PageMessage::ThisStep(PasskeyRefusal::OtherAccount) => "passkey-error-other-account",
            PageMessage::ThisStep(PasskeyRefusal::NotVerified) => "passkey-error-not-verified",
            PageMessage::ThisStep(PasskeyRefusal::Suspicious) => "passkey-error-suspicious",
            PageMessage::ThisStep(PasskeyRefusal::Invalid) => "passkey-error-invalid",
            PageMessage::OtherStep => "held-code-error-moved",
            PageMessage::NetworkPaused(rate_limited) => {
                let text = self.network_limit_text("code-error-network", rate_limited);
                return FormProblem::new("passkey", text);
            }
        };
        // There is no field beside which the whole text would stand.
        let text = self.f.l.t(key);
        let is_final = matches!(
            message,
            PageMessage::ThisStep(PasskeyRefusal::Unknown | PasskeyRefusal::Suspicious)
        );
        let field = if is_final { other_way } else { "passkey" };
        FormProblem::new(field, text).with_short(text.to_owned())
    }

    fn held_code_text(&self, method: HeldMethod, refusal: CodeRefusal) -> String {
        let l = self.f.l;
        let is_app = method == HeldMethod::TOTP;
        match refusal {
            CodeRefusal::NotSixDigits(0) => l.t("code-error-empty").to_owned(),
            CodeRefusal::NotSixDigits(count) => {
                l.tr("code-error-length", &[("count", count.into())])
            }
            CodeRefusal::NotDigits => l.t("code-error-digits").to_owned(),
            CodeRefusal::NotRecoveryCode(count) => {
                l.tr("recovery-code-error-form", &[("count", count.into())])
            }
            CodeRefusal::Wrong(left) => {
                let key = if is_app { "totp-error-wrong" } else { "recovery-code-error-wrong" };
                l.tr(key, &[("left", left.into())])
            }
            CodeRefusal::Used if is_app => l.t("totp-error-used").to_owned(),
            CodeRefusal::Used => l.t("recovery-code-error-used").to_owned(),
            CodeRefusal::ClockOff(seconds) => {
                let key = if seconds > 0 { "totp-error-ahead" } else { "totp-error-behind" };
                l.tr(
                    key,
                    &[("length", self.length(Duration::from_secs(seconds.unsigned_abs())).into())],
                )
            }
            CodeRefusal::Paused(until) => self.paused_code_text(until),
        }
    }

    fn mail_refusal_text(&self, view: &CodeView, refusal: MailRefusal) -> String {
        let l = self.f.l;
        let reference = ("reference", view.reference.as_str().into());
        match refusal {
            // The new mail may not have been sent: a person's mails have a limit.
            MailRefusal::Late => l.t("code-error-late-unsent").to_owned(),
            MailRefusal::Expired if view.delivery == MailStatus::NotSent => {
                l.t("code-error-expired-unsent").to_owned()
            }
            MailRefusal::Expired => l.tr("code-error-expired", &[reference]),
            MailRefusal::Superseded => l.tr("code-error-superseded", &[reference]),
            MailRefusal::OtherBrowser => l.tr("code-error-browser", &[reference]),
            MailRefusal::Exhausted => l.t("code-error-exhausted").to_owned(),
            MailRefusal::SendLater(until) => self.resend_wait(until),
        }
    }

    /// A problem of the new password.
    pub(crate) fn new_password_problem(&self, message: PageMessage<BadPassword>) -> FormProblem {
        let l = self.f.l;
        let text = match message {
            PageMessage::ThisStep(bad) => match bad {
                BadPassword::Empty => l.t("new-error-empty").to_owned(),
                BadPassword::Short(length) => l.tr("new-error-short", &[("length", length.into())]),
                BadPassword::Long => l.t("new-error-long").to_owned(),
                BadPassword::Common => l.t("new-error-common").to_owned(),
                BadPassword::ContextSpecific => l.t("new-error-own").to_owned(),
                BadPassword::Repetitive => l.t("new-error-repetitive").to_owned(),
                BadPassword::Unchanged => l.t("new-error-same").to_owned(),
            },
            PageMessage::NetworkPaused(rate_limited) => {
                self.network_limit_text("code-error-network", rate_limited)
            }
            PageMessage::OtherStep => l.t("new-error-moved").to_owned(),
        };
        FormProblem::new("new_password", text)
    }

    /// What a scope gives access to, with the values that its client gets.
    pub(crate) fn shared(&self, scope: &str, claims: &Map<String, Value>) -> Option<SharedData> {
        let values: Vec<_> = CLAIM_TEXTS
            .iter()
            .filter_map(|(name, key)| Some((self.f.l.t(key), shown_value(claims.get(*name)?))))
            .collect();
        let is_missing = values.is_empty() && scope != "openid";
        let none = is_missing.then(|| self.f.l.t("consent-none"));
        Some(SharedData { text: self.scope_text(scope)?, values, none })
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

/// The claims that are shown to a person, with the keys of their names. Whether an address is verified, and when the data
/// changed last, is in the text of their scope.
const CLAIM_TEXTS: [(&str, &str); 16] = [
    ("name", "claim-name"),
    ("given_name", "claim-given-name"),
    ("middle_name", "claim-middle-name"),
    ("family_name", "claim-family-name"),
    ("nickname", "claim-nickname"),
    ("preferred_username", "claim-username"),
    ("gender", "claim-gender"),
    ("birthdate", "claim-birthdate"),
    ("profile", "claim-profile"),
    ("picture", "claim-picture"),
    ("website", "claim-website"),
    ("zoneinfo", "claim-zone"),
    ("locale", "claim-language"),
    ("email", "claim-email"),
    ("address", "claim-address"),
    ("phone_number", "claim-phone"),
];

/// A claim as a person reads it. An address is one claim of several parts (OpenID Connect Core 1.0, section 5.1.1).
fn shown_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(parts) => match parts.get("formatted").and_then(Value::as_str) {
            Some(whole) => whole.to_owned(),
            None => parts.values().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        },
        other => other.to_string(),
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
    works && was_mailed && !view.exhausted && view.paused_until.is_none()
}
