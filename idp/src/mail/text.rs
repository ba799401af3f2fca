//! The text of a mail before it is rendered: one list of sentences for both parts, so that they cannot contradict each
//! other.

use flows::mail::{Fact, FactValue, Letter};
use keys::EmailCode;

use super::context::MailContext;
use super::forbidden::first_forbidden;
use crate::locale::Locale;

/// A mail's sentences. Not `Debug`: they hold a code.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct MailText {
    /// The mail's category, for the statistics of mail providers.
    pub(super) category: &'static str,
    /// The language of the mail.
    pub(super) language: Locale,
    /// The subject.
    pub(super) subject: String,
    /// The first sentence, and what lists of mails show beside the subject.
    pub(super) title: String,
    /// All further sentences.
    pub(super) lines: Vec<String>,
    /// The code as it is shown: `123 456`.
    pub(super) code: Option<String>,
    /// The name of the service, above all else.
    pub(super) brand: String,
    /// What the last line of the text part is for.
    pub(super) bound_note: Option<String>,
    /// The last line of the text part: binds the code to our domain, so that phones offer it there and nowhere else.
    pub(super) bound: Option<String>,
    /// Facts that both parts must have, whatever the sentences around them are.
    pub(super) facts: Vec<String>,
}

impl MailText {
    /// The text of a letter.
    pub(super) fn of(context: &MailContext<'_>, letter: &Letter) -> Self {
        // English, if no supported language of the person is known.
        let language =
            letter.recipient.language.as_deref().and_then(Locale::from_tag).unwrap_or_default();
        let writer = TextWriter { context, language };
        let code = letter.code.as_ref().map(group_digits);
        let facts: Vec<NamedArg> = letter.facts.iter().map(|fact| writer.named_arg(fact)).collect();
        let mut all: Vec<NamedArg> =
            letter.details.iter().map(|fact| writer.named_arg(fact)).collect();
        all.extend(facts.iter().cloned());
        all.extend(code.clone().map(|code| ("code", code)));
        let translate = |key: &str| writer.translate(key, &all);
        let mut lines: Vec<_> = letter.wording.lines.iter().map(|key| translate(key)).collect();
        lines.extend(writer.support_line(&lines));
        lines.push(translate("mail-signature"));
        Self {
            category: letter.category.as_str(),
            language,
            subject: translate(letter.wording.subject),
            title: translate(letter.wording.title),
            lines,
            brand: context.brand.name.clone(),
            bound_note: letter.code.as_ref().map(|_| translate("mail-bound")),
            bound: letter.code.as_ref().map(|code| writer.bound_line(code)),
            facts: code.iter().cloned().chain(facts.into_iter().map(|(_, said)| said)).collect(),
            code,
        }
    }

    /// The title in three pieces, with the code in the middle, if it has one.
    pub(super) fn title_around_code(&self) -> Option<(&str, &str, &str)> {
        let code = self.code.as_deref()?;
        let (before, after) = self.title.split_once(code)?;
        Some((before, code, after))
    }

    /// Every sentence in its order.
    pub(super) fn sentences(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.title).chain(&self.lines).map(String::as_str)
    }
}

/// A code as it is shown: `123 456`.
fn group_digits(code: &EmailCode) -> String {
    let digits = code.reveal();
    match digits.split_at_checked(3) {
        Some((first, last)) => format!("{first} {last}"),
        None => digits.to_owned(),
    }
}

/// A fact as an argument of a text: its name and its value.
type NamedArg = (&'static str, String);

/// What all mails have in common, and the language of this one.
#[derive(Clone, Copy)]
struct TextWriter<'a> {
    context: &'a MailContext<'a>,
    language: Locale,
}

impl TextWriter<'_> {
    /// A text of the locale file. Every text may use the brand.
    fn translate(&self, key: &str, with: &[NamedArg]) -> String {
        let brand = ("brand", self.context.brand.name.as_str());
        let support = ("support", self.support().unwrap_or("none"));
        let with = with.iter().map(|(name, value)| (*name, value.as_str()));
        let arguments: Vec<_> =
            with.chain([brand, support]).map(|(name, value)| (name, value.into())).collect();
        self.language.tr(key, &arguments)
    }

    fn named_arg(&self, fact: &Fact) -> NamedArg {
        let value = match &fact.value {
            FactValue::Text(text) => text.clone(),
            FactValue::Clock(at) => {
                self.language.clock_time_with_zone(*at, &self.context.brand.time_zone)
            }
            FactValue::Length(length) => self.language.length(length.as_secs() / 60),
            FactValue::Day(at) => self.language.day(*at, &self.context.brand.time_zone),
        };
        (fact.name, value)
    }

    /// Where people find help, unless it would put a link into the mail.
    fn support(&self) -> Option<&str> {
        self.context.brand.support.as_deref().filter(|support| first_forbidden(support).is_none())
    }

    /// The support line, unless a sentence has it already.
    fn support_line(&self, lines: &[String]) -> Option<String> {
        let support = self.support()?;
        let is_said = lines.iter().any(|line| line.contains(support));
        (!is_said).then(|| self.translate("mail-support", &[]))
    }

    /// The line that binds a code to the host of the issuer.
    fn bound_line(&self, code: &EmailCode) -> String {
        format!("@{} #{}", self.context.host(), code.reveal())
    }
}
