//! The contents of pages: one struct per page, with a template in `templates/`.

pub(crate) mod account;
mod account_messages;
pub(crate) mod messages;
#[cfg(test)]
pub(crate) mod page_checks;
mod support_line;
pub(crate) mod translations;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use askama::Template;

use support_line::SupportLine;

use crate::{brand::Brand, config::BrandLinks, locale::Locale};

/// What all pages have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The language.
    pub(crate) l: Locale,
    /// Name of the service.
    pub(crate) brand: &'a str,
    /// Where people find help.
    pub(crate) support: Option<&'a str>,
    /// Where a person goes from a page that ends somewhere.
    pub(crate) home: &'a str,
    /// Links at the foot.
    pub(crate) links: &'a BrandLinks,
    /// Path of the logo.
    pub(crate) logo: Option<&'a str>,
    /// Path of the style sheet.
    pub(crate) stylesheet: &'a str,
    /// Path of the icon.
    pub(crate) icon: &'a str,
    /// Path of the script.
    pub(crate) script: &'a str,
    /// Path of the script of passkeys.
    pub(crate) passkey_script: &'a str,
}

impl<'a> Frame<'a> {
    /// The frame of a replica's pages.
    pub(crate) fn of(brand: &'a Brand, l: Locale) -> Self {
        Self {
            l,
            brand: &brand.name,
            support: brand.support.as_deref(),
            home: brand.home.as_str(),
            links: &brand.links,
            logo: brand.logo_path(),
            stylesheet: brand.stylesheet(),
            icon: brand.icon(),
            script: brand.script(),
            passkey_script: brand.passkey_script(),
        }
    }

    /// The text of the link home.
    fn home_text(&self) -> String {
        self.l.tr("home-link", &[("brand", self.brand.into())])
    }

    /// The links at the foot: each with its text.
    fn foot_links(&self) -> Vec<(&'a str, &'static str)> {
        let BrandLinks { privacy, accessibility, terms } = self.links;
        let all = [
            (privacy, "foot-privacy"),
            (accessibility, "foot-accessibility"),
            (terms, "foot-terms"),
        ];
        let given = all.into_iter().filter_map(|(url, key)| Some((url.as_ref()?.as_str(), key)));
        given.map(|(url, key)| (url, self.l.t(key))).collect()
    }

    /// The other languages of the page.
    fn others(&self) -> impl Iterator<Item = Locale> {
        let l = self.l;
        Locale::ALL.into_iter().filter(move |other| *other != l)
    }

    /// What to do without access to the mailbox.
    fn without_mailbox(&self) -> Option<SupportLine> {
        self.support_line("code-trouble-mailbox")
    }

    fn help(&self) -> Option<SupportLine> {
        self.support_line("help-line")
    }

    fn support_line(&self, key: &str) -> Option<SupportLine> {
        self.support
            .map(|support| SupportLine::new(&self.l.tr(key, &[("support", support.into())])))
    }
}

/// What is wrong with a form: shown above the heading and at its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormProblem {
    /// Id of the field.
    pub(crate) field: &'static str,
    /// What is wrong and what to do.
    pub(crate) text: String,
    /// What is wrong in few words, unless those are the first sentence.
    short: Option<String>,
    /// A reference within the text, which a line end must not cut in two: it is compared with what a mail says.
    reference: Option<String>,
    /// What else can be done.
    ways: Vec<&'static str>,
}

/// Where a text says what is wrong before it says what to do.
const SENTENCE_END: [&str; 2] = [". ", ": "];

impl FormProblem {
    /// A problem of a field.
    pub(crate) fn new(field: &'static str, text: impl Into<String>) -> Self {
        Self { field, text: text.into(), short: None, reference: None, ways: Vec::new() }
    }

    /// The same, with another text above the heading.
    pub(crate) fn with_short(self, short: String) -> Self {
        Self { short: Some(short), ..self }
    }

    /// The same with a reference in its text.
    pub(crate) fn with_reference(self, reference: &str) -> Self {
        Self { reference: Some(reference.to_owned()), ..self }
    }

    /// The same with what else can be done.
    pub(crate) fn with_ways(self, ways: Vec<&'static str>) -> Self {
        Self { ways, ..self }
    }

    /// The text before its reference, the reference, and the text after it; the whole text first if it has none.
    fn parts(&self) -> (&str, Option<&str>, &str) {
        let reference = self.reference.as_deref();
        match reference.and_then(|reference| self.text.split_once(reference)) {
            Some((before, after)) => (before, reference, after),
            None => (&self.text, None, ""),
        }
    }

    /// What is wrong, without what to do: above the heading, where few words leave the field in view.
    pub(crate) fn summary(&self) -> &str {
        if let Some(short) = &self.short {
            return short;
        }
        let ends = SENTENCE_END.iter().filter_map(|end| self.text.find(end));
        ends.min().and_then(|end| self.text.get(..end)).unwrap_or(&self.text)
    }

    /// What is wrong with one field.
    fn text_for<'p>(problems: &'p [Self], field: &str) -> Option<&'p str> {
        problems.iter().find(|problem| problem.field == field).map(|problem| problem.text.as_str())
    }
}

/// The form of a sign-in step: where it is posted, and its hidden fields.
#[derive(Clone, Debug)]
pub(crate) struct StepForm<'a> {
    /// Path of the step.
    pub(crate) path: &'static str,
    /// Name of the step, to which the language switch returns.
    pub(crate) step: &'static str,
    /// Name of the attempt.
    pub(crate) attempt: &'a str,
    /// Form token.
    pub(crate) token: Cow<'a, str>,
    /// What the last post was refused for, sealed: the language switch returns to the page with it.
    pub(crate) refused: Option<&'a str>,
}

/// A form whose script asks an authenticator.
#[derive(Clone, Debug)]
pub(crate) struct PasskeyForm {
    /// Where the answer is posted.
    pub(crate) path: &'static str,
    /// Form token.
    pub(crate) token: String,
    /// The ceremony, sealed.
    pub(crate) ceremony: String,
    /// The options for the browser, in JSON.
    pub(crate) options: String,
    /// Where the script gets the options of a new ceremony.
    pub(crate) renew: String,
}

/// `/login/password`.
#[derive(Debug, Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    pub(crate) problems: Vec<FormProblem>,
    /// "to continue to ..".
    pub(crate) lede: String,
    /// Address as typed or hinted.
    pub(crate) email: &'a str,
    /// The way of a person with a passkey.
    pub(crate) passkey: Option<PasskeyForm>,
}

impl PasswordPage<'_> {
    fn wrong(&self, field: &str) -> Option<&str> {
        FormProblem::text_for(&self.problems, field)
    }
}

/// `/login/code`.
#[derive(Debug, Template)]
#[template(path = "code.html")]
pub(crate) struct CodePage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    pub(crate) problems: Vec<FormProblem>,
    /// What became of a right code that was late.
    pub(crate) notice: Option<&'static str>,
    /// Heading.
    pub(crate) title: &'static str,
    /// Where the code was sent, or why it can no longer be entered.
    pub(crate) sent: String,
    /// How long ago it was sent, and until when it works.
    pub(crate) status: Option<String>,
    /// The words by which page and mail can be matched, while there is a mail to match.
    pub(crate) reference: Option<&'a str>,
    /// Code as typed.
    pub(crate) code: &'a str,
    /// Whether a code can be entered.
    pub(crate) open: bool,
    /// Text of the button that sends the code again or a new one; none while that must wait.
    pub(crate) resend: Option<&'static str>,
    /// When the code can be sent again, if not now.
    pub(crate) resend_later: Option<String>,
    /// Address of the page with the other methods, if the person has any.
    pub(crate) other_ways: Option<String>,
}

impl CodePage<'_> {
    /// On a small screen the field with the fault is seen without scrolling. What has not changed since the last page comes
    /// after it.
    fn is_field_first(&self) -> bool {
        self.open && (self.notice.is_some() || !self.problems.is_empty())
    }

    fn is_resend_wrong(&self) -> bool {
        self.wrong("resend").is_some()
    }

    fn wrong(&self, field: &str) -> Option<&FormProblem> {
        self.problems.iter().find(|problem| problem.field == field)
    }
}

/// `/login/totp` and `/login/recovery-code`.
#[derive(Debug, Template)]
#[template(path = "held_code.html")]
pub(crate) struct HeldCodePage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    pub(crate) problems: Vec<FormProblem>,
    /// Heading.
    pub(crate) title: &'static str,
    /// What to do.
    pub(crate) lede: String,
    /// Label of the field.
    pub(crate) label: &'static str,
    /// What helps when there is no right code.
    pub(crate) hint: &'static str,
    /// Whether the code has digits alone.
    pub(crate) is_numeric: bool,
    /// Code as typed.
    pub(crate) code: &'a str,
    /// Address of the page with the other methods, if the person has any.
    pub(crate) other_ways: Option<String>,
}

impl HeldCodePage<'_> {
    fn wrong(&self, field: &str) -> Option<&str> {
        FormProblem::text_for(&self.problems, field)
    }
}

/// `/login/passkey`.
#[derive(Debug, Template)]
#[template(path = "passkey.html")]
pub(crate) struct PasskeyPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    pub(crate) problems: Vec<FormProblem>,
    /// The form of the ceremony.
    pub(crate) passkey: Option<PasskeyForm>,
    /// Address of the page with the other methods, if the person has any.
    pub(crate) other_ways: Option<String>,
}

/// `/login/other-ways`.
#[derive(Debug, Template)]
#[template(path = "other_ways.html")]
pub(crate) struct OtherWaysPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    /// The methods, the default first.
    pub(crate) methods: Vec<MethodChoice>,
    /// Address of the page that the person comes from.
    pub(crate) back: String,
}

/// A method that can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct MethodChoice {
    /// Its name in the form.
    pub(crate) name: &'static str,
    /// What it is called.
    pub(crate) text: String,
    /// What it needs.
    pub(crate) hint: &'static str,
}

/// A step, while no code is accepted after too many wrong ones.
#[derive(Debug, Template)]
#[template(path = "paused.html")]
pub(crate) struct PausedPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    /// When it is over.
    pub(crate) lede: String,
}

/// `/login/new-password`.
#[derive(Debug, Template)]
#[template(path = "new_password.html")]
pub(crate) struct NewPasswordPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    pub(crate) problems: Vec<FormProblem>,
    /// The rule for the new password.
    pub(crate) rule: String,
    /// Address of the account, for the person and for password managers.
    pub(crate) email: &'a str,
}

impl NewPasswordPage<'_> {
    fn wrong(&self, field: &str) -> Option<&str> {
        FormProblem::text_for(&self.problems, field)
    }
}

/// A tab whose browser was signed in by another tab.
#[derive(Debug, Template)]
#[template(path = "signed_in.html")]
pub(crate) struct SignedInPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    pub(crate) lede: String,
}

/// `/login/consent`, when scopes are asked for.
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    pub(crate) title: String,
    pub(crate) lede: String,
    /// What each scope gives access to.
    pub(crate) scopes: Vec<SharedData>,
    /// Where the client says what it does with them.
    pub(crate) privacy: Option<&'a str>,
    pub(crate) privacy_text: String,
    /// What to do after a change of mind.
    pub(crate) back: String,
    pub(crate) account: String,
}

/// What a scope gives access to.
#[derive(Clone, Debug)]
pub(crate) struct SharedData {
    /// In plain words.
    pub(crate) text: &'static str,
    /// The name of each claim, with its value.
    pub(crate) values: Vec<(&'static str, String)>,
    /// Why there is no value.
    pub(crate) none: Option<&'static str>,
}

/// `/login/consent`, when the person confirms.
#[derive(Debug, Template)]
#[template(path = "confirm.html")]
pub(crate) struct ConfirmPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: StepForm<'a>,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) account: String,
}

/// The page that returns to a client.
#[derive(Debug, Template)]
#[template(path = "return.html")]
pub(crate) struct ReturnPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) title: String,
    pub(crate) link: String,
    /// The whole address.
    pub(crate) location: &'a str,
    /// Whether an app is opened: its link is there at once.
    pub(crate) is_app: bool,
}

/// `/oauth2/logout`, when it asks for confirmation.
#[derive(Debug, Template)]
#[template(path = "logout.html")]
pub(crate) struct LogoutPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: &'a str,
    pub(crate) lede: String,
    /// Parameters of the request, carried along.
    pub(crate) fields: &'a [(&'a str, &'a str)],
}

/// A page with one notice.
#[derive(Debug, Template)]
#[template(path = "notice.html")]
pub(crate) struct NoticePage<'a> {
    pub(crate) f: Frame<'a>,
    /// Its name, by which the language switch shows it again.
    pub(crate) page: &'static str,
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    /// For the developers of the client.
    pub(crate) detail: Option<&'static str>,
}

/// The page of a failure.
#[derive(Debug, Template)]
#[template(path = "failure.html")]
pub(crate) struct FailurePage<'a> {
    pub(crate) f: Frame<'a>,
    /// Its name, by which the language switch shows it again.
    pub(crate) page: &'static str,
    pub(crate) title: &'static str,
    pub(crate) text: String,
    /// For the developers of the client.
    pub(crate) detail: Option<&'static str>,
    /// The six characters that find the log line.
    pub(crate) reference: &'a str,
}
