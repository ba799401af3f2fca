//! What a mail says, before it has a form: one list of sentences from which both parts are rendered, so that they
//! cannot contradict each other.

use flows::notify::{CodeToSend, Letter, Notice, Tried};
use store::Timestamp;

use super::context::MailContext;
use super::forbidden::first_forbidden;
use crate::locale::Locale;

/// A mail's sentences. Not `Debug`: they hold a code.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// What kind of mail it is, for statistics of mail providers.
    pub(super) purpose: &'static str,
    /// In which language all of it is.
    pub(super) language: Locale,
    /// The subject.
    pub(super) subject: String,
    /// The first sentence, and what lists of mails show beside the subject.
    pub(super) title: String,
    /// All further sentences.
    pub(super) lines: Vec<String>,
    /// The code as it is shown: `123 456`.
    pub(super) code: Option<String>,
    /// The last line of the text part: binds the code to our domain, so that phones offer it there and nowhere else.
    pub(super) bound: Option<String>,
    /// What both parts must say, whatever the sentences around it are.
    pub(super) facts: Vec<String>,
}

impl Words {
    /// The words of a letter that is sent at `now`.
    pub(super) fn of(context: &MailContext<'_>, letter: &Letter, now: Timestamp) -> Self {
        // A mail that nobody asked for in a language of ours is in English.
        let language = letter.language().and_then(Locale::of).unwrap_or_default();
        let said = Said { context, language };
        match letter {
            Letter::Code(code) => of_code(said, code, now),
            Letter::PasswordChanged(notice) => of_notice(
                said,
                notice,
                ("mail-password-changed-subject", "mail-password-changed-title"),
                &[
                    "mail-password-changed-when",
                    "mail-password-changed-you",
                    "mail-password-changed-not-you",
                ],
            ),
            Letter::ResetForced(notice) => of_notice(
                said,
                notice,
                ("mail-reset-forced-subject", "mail-reset-forced-title"),
                &["mail-reset-forced-when", "mail-reset-forced-ended", "mail-reset-forced-next"],
            ),
            Letter::SomebodyTried(notice, Tried::Password) => of_notice(
                said,
                notice,
                ("mail-tried-password-subject", "mail-tried-password-title"),
                &["mail-tried-password-when", "mail-tried-own", "mail-tried-you"],
            ),
            Letter::SomebodyTried(notice, Tried::Code) => of_notice(
                said,
                notice,
                ("mail-tried-code-subject", "mail-tried-code-title"),
                &[
                    "mail-tried-code-when",
                    "mail-tried-code-change",
                    "mail-tried-own",
                    "mail-tried-you",
                ],
            ),
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

/// The language of this mail, with what its words are about.
#[derive(Clone, Copy)]
struct Said<'a> {
    context: &'a MailContext<'a>,
    language: Locale,
}

impl Said<'_> {
    /// A text of the locale file; all of them may use the brand.
    fn say(&self, key: &str, with: &[(&str, &str)]) -> String {
        let brand = [("brand", self.context.brand.name.as_str())];
        let arguments: Vec<_> =
            with.iter().chain(&brand).map(|(name, value)| (*name, (*value).into())).collect();
        self.language.tr(key, &arguments)
    }

    /// Where help is, unless that would put a link into the mail.
    fn support(&self) -> Option<String> {
        let support = self.context.brand.support.as_ref()?;
        first_forbidden(support)
            .is_none()
            .then(|| self.say("mail-support", &[("support", support)]))
    }

    /// `24 November 2026`.
    fn day(&self, at: Timestamp) -> String {
        let date = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        let date = date.to_zoned(self.context.brand.time_zone.clone());
        let (day, month) = (date.strftime("%-d").to_string(), date.strftime("%B").to_string());
        let year = date.strftime("%Y").to_string();
        self.say("mail-day", &[("day", &day), ("month", &month), ("year", &year)])
    }

    fn clock(&self, at: Timestamp) -> String {
        self.language.clock_time(at, &self.context.brand.time_zone)
    }

    /// When the code was asked for and, where that is known, with what: a person can tell that it was not them.
    fn asked(&self, letter: &CodeToSend) -> String {
        let time = self.clock(letter.challenge.last_requested_at);
        let with = letter.challenge.asked_with.as_deref().and_then(|with| with.split_once('/'));
        match with {
            Some((browser, system)) => self.say(
                "mail-code-asked",
                &[("time", &time), ("browser", browser), ("system", system)],
            ),
            None => self.say("mail-code-asked-somewhere", &[("time", &time)]),
        }
    }
}

fn of_code(said: Said<'_>, letter: &CodeToSend, now: Timestamp) -> Words {
    let digits = letter.code.reveal();
    let grouped = match digits.split_at_checked(3) {
        Some((first, last)) => format!("{first} {last}"),
        None => digits.to_owned(),
    };
    let reference = &letter.challenge.reference;
    let until = said.clock(letter.until);
    let time = said.clock(now);
    let say = |key| {
        said.say(
            key,
            &[("code", &grouped), ("reference", reference), ("until", &until), ("time", &time)],
        )
    };
    let first = ["mail-code-reference", "mail-code-until"].map(say);
    let last = ["mail-code-secret", "mail-code-not-you"].map(say);
    let lines = first.into_iter().chain([said.asked(letter)]).chain(last);
    Words {
        purpose: "code",
        language: said.language,
        subject: say("mail-code-subject"),
        title: say("mail-code-title"),
        lines: lines.chain(said.support()).collect(),
        bound: Some(format!("@{} #{digits}", said.context.host())),
        facts: vec![grouped.clone(), reference.clone(), until],
        code: Some(grouped),
    }
}

fn of_notice(
    said: Said<'_>,
    notice: &Notice,
    (subject, title): (&str, &str),
    lines: &[&str],
) -> Words {
    let time = said.clock(notice.happened_at);
    let day = said.day(notice.happened_at);
    let say = |key: &str| said.say(key, &[("day", &day), ("time", &time)]);
    let sentences = lines.iter().copied().chain(["mail-secret"]);
    Words {
        purpose: "notice",
        language: said.language,
        subject: say(subject),
        title: say(title),
        lines: sentences.map(say).chain(said.support()).collect(),
        bound: None,
        facts: vec![day, time],
        code: None,
    }
}
