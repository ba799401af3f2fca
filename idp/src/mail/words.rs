//! What a mail says, before it has a form: one list of sentences from which both parts are rendered, so that they
//! cannot contradict each other.

use flows::notify::{CodeToSend, Letter, Notice, Tried};
use store::Timestamp;

use super::check;
use super::compose::House;
use crate::clock::clock_time;
use crate::view::Locale;

/// The language of every mail, so far.
pub(super) const LANGUAGE: Locale = Locale::En;

/// A mail's sentences. Not `Debug`: they hold a code.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// What kind of mail it is, for statistics of mail providers.
    pub(super) purpose: &'static str,
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
    pub(super) fn of(house: &House<'_>, letter: &Letter, now: Timestamp) -> Self {
        match letter {
            Letter::Code(code) => of_code(house, code, now),
            Letter::PasswordChanged(notice) => of_notice(
                house,
                notice,
                ("mail-password-changed-subject", "mail-password-changed-title"),
                &[
                    "mail-password-changed-when",
                    "mail-password-changed-you",
                    "mail-password-changed-not-you",
                ],
            ),
            Letter::ResetForced(notice) => of_notice(
                house,
                notice,
                ("mail-reset-forced-subject", "mail-reset-forced-title"),
                &["mail-reset-forced-when", "mail-reset-forced-ended", "mail-reset-forced-next"],
            ),
            Letter::SomebodyTried(notice, Tried::Password) => of_notice(
                house,
                notice,
                ("mail-tried-password-subject", "mail-tried-password-title"),
                &["mail-tried-password-when", "mail-tried-own", "mail-tried-you"],
            ),
            Letter::SomebodyTried(notice, Tried::Code) => of_notice(
                house,
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

impl House<'_> {
    /// A text of the locale file; all of them may use the brand.
    fn say(&self, key: &str, with: &[(&str, &str)]) -> String {
        let brand = [("brand", self.brand.name.as_str())];
        let arguments: Vec<_> =
            with.iter().chain(&brand).map(|(name, value)| (*name, (*value).into())).collect();
        LANGUAGE.tr(key, &arguments)
    }

    /// Where help is, unless that would put a link into the mail.
    fn support(&self) -> Option<String> {
        let support = self.brand.support.as_ref()?;
        check::permitted(support, "brand.support").ok()?;
        Some(self.say("mail-support", &[("support", support)]))
    }

    /// `24 November 2026`.
    fn day(&self, at: Timestamp) -> String {
        let date = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
        let date = date.to_zoned(self.brand.time_zone.clone());
        let (day, month) = (date.strftime("%-d").to_string(), date.strftime("%B").to_string());
        let year = date.strftime("%Y").to_string();
        self.say("mail-day", &[("day", &day), ("month", &month), ("year", &year)])
    }
}

fn of_code(house: &House<'_>, letter: &CodeToSend, now: Timestamp) -> Words {
    let digits = letter.code.reveal();
    let grouped = match digits.split_at_checked(3) {
        Some((first, last)) => format!("{first} {last}"),
        None => digits.to_owned(),
    };
    let reference = &letter.challenge.reference;
    let until = clock_time(letter.until, &house.brand.time_zone);
    let time = clock_time(now, &house.brand.time_zone);
    let say = |key| {
        house.say(
            key,
            &[("code", &grouped), ("reference", reference), ("until", &until), ("time", &time)],
        )
    };
    let lines = ["mail-code-reference", "mail-code-until", "mail-code-secret", "mail-code-not-you"];
    Words {
        purpose: "code",
        subject: say("mail-code-subject"),
        title: say("mail-code-title"),
        lines: lines.into_iter().map(say).chain(house.support()).collect(),
        bound: Some(format!("@{} #{digits}", house.host())),
        facts: vec![grouped.clone(), reference.clone(), until],
        code: Some(grouped),
    }
}

fn of_notice(
    house: &House<'_>,
    notice: &Notice,
    (subject, title): (&str, &str),
    lines: &[&str],
) -> Words {
    let time = clock_time(notice.happened_at, &house.brand.time_zone);
    let day = house.day(notice.happened_at);
    let say = |key: &str| house.say(key, &[("day", &day), ("time", &time)]);
    let sentences = lines.iter().copied().chain(["mail-secret"]);
    Words {
        purpose: "notice",
        subject: say(subject),
        title: say(title),
        lines: sentences.map(say).chain(house.support()).collect(),
        bound: None,
        facts: vec![day, time],
        code: None,
    }
}
