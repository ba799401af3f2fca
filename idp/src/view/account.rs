//! The contents of the pages on which a person looks after their account.

use std::borrow::Cow;

use askama::Template;

use super::{FormProblem, Frame};

/// A form of a page of an account.
#[derive(Clone, Debug)]
pub(crate) struct AccountForm {
    /// Path of the page.
    pub(crate) path: &'static str,
    /// Name of the page, to which the language switch returns.
    pub(crate) name: &'static str,
    /// Form token.
    pub(crate) token: String,
}

/// `/account`.
#[derive(Debug, Template)]
#[template(path = "account/overview.html")]
pub(crate) struct OverviewPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: AccountForm,
    /// What the language switch keeps.
    pub(crate) kept: Cow<'static, str>,
    pub(crate) notice: Option<&'static str>,
    pub(crate) name: &'a str,
    pub(crate) email: &'a str,
    /// How many authenticator apps there are.
    pub(crate) apps: String,
    /// How many passkeys there are.
    pub(crate) passkeys: String,
    /// How many recovery codes are left.
    pub(crate) codes: String,
    /// Whether there is a method beside codes by e-mail.
    pub(crate) has_method: bool,
    /// Whether codes by e-mail are asked for.
    pub(crate) email_codes: bool,
    /// Whether the person may do without them.
    pub(crate) can_leave_out: bool,
}

/// `/account/authenticator-apps`.
#[derive(Debug, Template)]
#[template(path = "account/authenticator_apps.html")]
pub(crate) struct AppsPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: AccountForm,
    pub(crate) kept: Cow<'static, str>,
    pub(crate) problems: Vec<FormProblem>,
    pub(crate) notice: Option<&'static str>,
    pub(crate) apps: Vec<AppRow>,
    /// Whether there may be another one.
    pub(crate) can_add: bool,
    /// Whether there is one method alone.
    pub(crate) is_only: bool,
    /// Whether something can be changed without another sign-in.
    pub(crate) is_fresh: bool,
}

/// An authenticator app.
#[derive(Clone, Debug)]
pub(crate) struct AppRow {
    pub(crate) id: String,
    pub(crate) name: String,
    /// When it was used last.
    pub(crate) used: String,
    /// Text of what opens its forms.
    pub(crate) change: String,
    /// Text of the button that removes it.
    pub(crate) remove: String,
}

/// `/account/authenticator-apps`, while one is added.
#[derive(Debug, Template)]
#[template(path = "account/enrolment.html")]
pub(crate) struct EnrolmentPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: AccountForm,
    pub(crate) kept: Cow<'static, str>,
    pub(crate) problems: Vec<FormProblem>,
    /// Size and path of the QR code.
    pub(crate) qr: Option<(i32, String)>,
    /// The address that opens an app on the same phone.
    pub(crate) url: String,
    /// The key, to copy by hand.
    pub(crate) key: String,
    /// The enrolment, sealed.
    pub(crate) enrolment: &'a str,
    /// The name of the app as typed.
    pub(crate) name: String,
}

impl EnrolmentPage<'_> {
    fn wrong(&self, field: &str) -> Option<&str> {
        FormProblem::text_for(&self.problems, field)
    }
}

/// `/account/passkeys`.
#[derive(Debug, Template)]
#[template(path = "account/passkeys.html")]
pub(crate) struct PasskeysPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: AccountForm,
    pub(crate) kept: Cow<'static, str>,
    pub(crate) problems: Vec<FormProblem>,
    pub(crate) notice: Option<&'static str>,
    pub(crate) passkeys: Vec<PasskeyRow>,
    /// Whether there is one method alone.
    pub(crate) is_only: bool,
    /// Whether something can be changed without another sign-in.
    pub(crate) is_fresh: bool,
    /// The ceremony of another one, sealed, and its options in JSON.
    pub(crate) ceremony: Option<(String, String)>,
}

/// A passkey.
#[derive(Clone, Debug)]
pub(crate) struct PasskeyRow {
    pub(crate) id: String,
    pub(crate) name: String,
    /// When it was used last.
    pub(crate) used: String,
    /// Whether it is on one device alone.
    pub(crate) place: &'static str,
    /// Text of what opens its forms.
    pub(crate) change: String,
    /// Text of the button that removes it.
    pub(crate) remove: String,
}

/// `/account/recovery-codes`.
#[derive(Debug, Template)]
#[template(path = "account/recovery_codes.html")]
pub(crate) struct RecoveryCodesPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: AccountForm,
    pub(crate) kept: Cow<'static, str>,
    pub(crate) notice: Option<&'static str>,
    /// How many are left.
    pub(crate) left: String,
    pub(crate) has_sheet: bool,
    /// Whether there is a method that they stand in for.
    pub(crate) has_method: bool,
    pub(crate) is_fresh: bool,
}

/// `/account/recovery-codes`, with a list that was just made.
#[derive(Debug, Template)]
#[template(path = "account/sheet.html")]
pub(crate) struct SheetPage<'a> {
    pub(crate) f: Frame<'a>,
    pub(crate) form: AccountForm,
    pub(crate) kept: Cow<'static, str>,
    pub(crate) notice: Option<&'static str>,
    pub(crate) codes: Vec<String>,
    /// Address of the list as a file.
    pub(crate) file: String,
}
