//! The languages of pages and mails, and how one of them is chosen.
//!
//! ```text
//! ui_locales of the request  ->  what was chosen in this browser  ->  Accept-Language  ->  English
//! ```

/// A language of pages and mails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Te reo Māori.
    Mi,
}

/// The limit on language ranges in a header; the rest is not read. Browsers send a handful.
const MAX_LANGUAGE_RANGES: usize = 32;

impl Locale {
    /// Every language, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::En, Self::Mi];

    /// Its tag (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Mi => "mi",
        }
    }

    /// Its name in the language itself, for a person who looks for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Mi => "Te reo Māori",
        }
    }

    /// The language of a tag, whatever region or script follows: `mi`, `mi-NZ`, `MI-nz` (RFC 4647, section 3.4).
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|locale| language.eq_ignore_ascii_case(locale.tag()))
    }

    /// The first supported language of `ui_locales`, which has the preferred tag first (OpenID Connect Core 1.0, section
    /// 3.1.2.1).
    #[must_use]
    pub fn from_ui_locales(tags: &str) -> Option<Self> {
        tags.split(' ').take(MAX_LANGUAGE_RANGES).find_map(Self::from_tag)
    }

    /// The supported language with the highest quality in an `Accept-Language` (RFC 9110, section 12.5.4); of equals, the
    /// first. `*` selects none of ours, and an invalid quality counts as 0.
    #[must_use]
    pub fn from_accept_language(accept_language: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in accept_language.split(',').take(MAX_LANGUAGE_RANGES) {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, "q=1"));
            let quality = quality(parameters).unwrap_or(0);
            let Some(locale) = Self::from_tag(tag.trim()).filter(|_| quality > 0) else { continue };
            if best.is_none_or(|(most, _)| quality > most) {
                best = Some((quality, locale));
            }
        }
        best.map(|(_, locale)| locale)
    }
}

/// A quality value in thousandths: `q=0.8` (RFC 9110, section 12.4.2).
fn quality(parameters: &str) -> Option<u16> {
    let (name, value) = parameters.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, part) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{part:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// What a browser remembers: the language that the person chose, and the one that the present request asks for.
///
/// As a cookie it is `chosen:requested`, each a tag or empty. The request's language has priority while the request lasts;
/// the person's own choice is kept beside it for the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LanguageChoice {
    /// Chosen by the person, with the switch on a page.
    chosen: Option<Locale>,
    /// Asked for by the client, in `ui_locales`.
    requested: Option<Locale>,
}

impl LanguageChoice {
    /// Parses a cookie. An unsupported language counts as absent.
    #[must_use]
    pub fn parse(cookie: &str) -> Self {
        let (chosen, requested) = cookie.split_once(':').unwrap_or((cookie, ""));
        let exact = |tag: &str| Locale::ALL.into_iter().find(|locale| locale.tag() == tag);
        Self { chosen: exact(chosen), requested: exact(requested) }
    }

    /// The cookie's value.
    #[must_use]
    pub fn to_cookie(self) -> String {
        let tag = |locale: Option<Locale>| locale.map_or("", Locale::tag);
        format!("{}:{}", tag(self.chosen), tag(self.requested))
    }

    /// The language that it selects.
    #[must_use]
    pub const fn locale(self) -> Option<Locale> {
        match self.requested {
            Some(requested) => Some(requested),
            None => self.chosen,
        }
    }

    /// The state after the person's own choice, which overrides `ui_locales` of the present request too.
    #[must_use]
    pub const fn from_user(locale: Locale) -> Self {
        Self { chosen: Some(locale), requested: None }
    }

    /// The state at the beginning of a request with these `ui_locales`.
    #[must_use]
    pub fn with_ui_locales(self, ui_locales: Option<&str>) -> Self {
        Self { requested: ui_locales.and_then(Locale::from_ui_locales), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_language_picks_highest_quality() {
        for (header, wanted) in [
            ("mi", Some(Locale::Mi)),
            ("mi-NZ,mi;q=0.9,en;q=0.8", Some(Locale::Mi)),
            ("en-NZ,en;q=0.9,mi;q=0.8", Some(Locale::En)),
            ("en;q=0.5, MI-nz ; q=0.501", Some(Locale::Mi)),
            ("fr, de;q=0.9, mi;q=0.1", Some(Locale::Mi)),
            ("en;q=1.000,mi", Some(Locale::En)),
            ("mi;q=0, en;q=0.001", Some(Locale::En)),
            ("mi;q=1.001, en;q=0.1", Some(Locale::En)),
            ("mi;q=0.1234, mi;x=1, mi;q, mi;q=", None),
            ("*", None),
            ("", None),
            ("mis, enx, m, é;q=1", None),
        ] {
            assert_eq!(Locale::from_accept_language(header), wanted, "{header}");
        }
    }

    #[test]
    fn overlong_language_lists_are_cut() {
        let long = format!("{}mi", "fr,".repeat(100_000));
        assert_eq!(Locale::from_accept_language(&long), None);
        assert_eq!(Locale::from_ui_locales(&format!("{}mi", "fr ".repeat(100_000))), None);
    }

    #[test]
    fn ui_locales_picks_first_supported() {
        assert_eq!(Locale::from_ui_locales("fr-CA mi en"), Some(Locale::Mi));
        assert_eq!(Locale::from_ui_locales("EN-GB mi"), Some(Locale::En));
        assert_eq!(Locale::from_ui_locales("se"), None);
    }

    #[test]
    fn request_language_overrides_saved_choice() {
        let chosen = LanguageChoice::from_user(Locale::Mi);
        assert_eq!(chosen.with_ui_locales(Some("en")).locale(), Some(Locale::En));
        assert_eq!(
            chosen.with_ui_locales(Some("en")).with_ui_locales(None).locale(),
            Some(Locale::Mi)
        );
        assert_eq!(chosen.with_ui_locales(Some("fr")).locale(), Some(Locale::Mi));
        assert_eq!(
            LanguageChoice::default().with_ui_locales(Some("mi")).with_ui_locales(None).locale(),
            None
        );
    }

    #[test]
    fn language_cookie_parses_strictly() {
        for choice in [
            LanguageChoice::default(),
            LanguageChoice::from_user(Locale::En),
            LanguageChoice::from_user(Locale::Mi).with_ui_locales(Some("en")),
            LanguageChoice::default().with_ui_locales(Some("mi")),
        ] {
            assert_eq!(LanguageChoice::parse(&choice.to_cookie()), choice);
        }
        for strange in ["", "fr", "mi-NZ:", "MI", "::", ":mi:", "mi\r\n"] {
            assert_eq!(LanguageChoice::parse(strange), LanguageChoice::default(), "{strange:?}");
        }
    }
}
