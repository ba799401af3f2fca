//! The contents of pages: one struct per page, with a template in `templates/`.

mod asset;
pub(crate) mod messages;
#[cfg(test)]
pub(crate) mod page_checks;
pub(crate) mod translations;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use askama::Template;

pub(crate) use asset::find_asset;

use crate::{config::BrandConfig, locale::Locale};

/// What all pages have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The language.
    pub(crate) l: Locale,
    /// Name of the service.
    pub(crate) brand: &'a str,
    /// Where people find help.
    pub(crate) support: Option<&'a str>,
}

impl<'a> Frame<'a> {
    /// The frame of a replica's pages.
    pub(crate) fn of(brand: &'a BrandConfig, l: Locale) -> Self {
        Self { l, brand: &brand.name, support: brand.support.as_deref() }
    }

    #[expect(clippy::unused_self, reason = "templates reach it through the frame")]
    fn stylesheet(&self) -> &'static str {
        asset::stylesheet()
    }

    #[expect(clippy::unused_self, reason = "templates reach it through the frame")]
    fn icon(&self) -> &'static str {
        asset::icon()
    }

    /// The other languages of the page.
    fn others(&self) -> impl Iterator<Item = Locale> {
        let l = self.l;
        Locale::ALL.into_iter().filter(move |other| *other != l)
    }

    /// What to do without access to the mailbox.
    fn without_mailbox(&self) -> Option<String> {
        self.support
            .map(|support| self.l.tr("code-trouble-mailbox", &[("support", support.into())]))
    }

    fn help(&self) -> Option<String> {
        self.support.map(|support| self.l.tr("help-line", &[("support", support.into())]))
    }
}

/// What is wrong with a form: shown above the heading and at its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormProblem {
    /// Id of the field.
    pub(crate) field: &'static str,
    /// What is wrong and what to do.
    pub(crate) text: String,
}

impl FormProblem {
    /// A problem of a field.
    pub(crate) fn new(field: &'static str, text: impl Into<String>) -> Self {
        Self { field, text: text.into() }
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
}

impl CodePage<'_> {
    fn wrong(&self, field: &str) -> Option<&str> {
        FormProblem::text_for(&self.problems, field)
    }
}

/// `/login/code`, while no code is accepted after too many wrong ones.
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
    /// What each scope gives access to, in plain words.
    pub(crate) scopes: Vec<&'static str>,
    pub(crate) account: String,
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
