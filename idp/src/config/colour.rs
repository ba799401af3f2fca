//! The accent colour of the brand, and its contrast (WCAG 2.2, success criterion 1.4.3).

use std::fmt;

/// The contrast that text needs.
const NEEDED: f64 = 4.5;
/// Steps of a mixture, in percent.
const STEP: u16 = 4;

/// The papers of `vestibule.css` that the accent colour is used on: card, page and note.
pub(crate) const LIGHT_PAPERS: [Colour; 3] =
    [Colour::WHITE, Colour(0xee, 0xf3, 0xf2), Colour(0xe3, 0xef, 0xed)];
/// The same in dark.
pub(crate) const DARK_PAPERS: [Colour; 3] =
    [Colour(0x1a, 0x24, 0x27), Colour(0x10, 0x18, 0x1a), Colour(0x21, 0x32, 0x2f)];

/// A colour of sRGB: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(u8, u8, u8);

/// The accent colour of one colour scheme, with the colours that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accent {
    /// Links, buttons and the edge of the page.
    pub(crate) main: Colour,
    /// Under the pointer.
    pub(crate) deep: Colour,
    /// Text on either.
    pub(crate) text: Colour,
}

impl Colour {
    const WHITE: Self = Self(0xff, 0xff, 0xff);
    const BLACK: Self = Self(0, 0, 0);

    /// `#rrggbb`, dark enough for text on the light papers.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let colour = Self::parse_hex(text).ok_or_else(|| {
            format!("`{text}` is not a colour; write it as `#rrggbb`, such as `#0b5d57`")
        })?;
        let contrast = colour.least_contrast(&LIGHT_PAPERS);
        if contrast >= NEEDED {
            return Ok(colour);
        }
        let darker = colour.readable_on(&LIGHT_PAPERS, Self::BLACK);
        Err(format!(
            "`{text}` is too pale to be read on our light papers: its contrast is {contrast:.1}, and text needs {NEEDED} \
             (WCAG 2.2 AA); `{darker}` has it"
        ))
    }

    fn parse_hex(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let [_, red, green, blue] = u32::from_str_radix(digits, 16)
            .ok()
            .filter(|_| !digits.starts_with('+'))?
            .to_be_bytes();
        Some(Self(red, green, blue))
    }

    /// In the light scheme.
    pub(crate) fn light(self) -> Accent {
        Accent { main: self, deep: self.mixed(Self::BLACK, 25), text: Self::WHITE }
    }

    /// In the dark scheme: as much lighter as text on the dark papers needs.
    pub(crate) fn dark(self) -> Accent {
        let main = self.readable_on(&DARK_PAPERS, Self::WHITE);
        let [_, darkest, _] = DARK_PAPERS;
        Accent { main, deep: main.mixed(Self::WHITE, 35), text: darkest }
    }

    /// Mixed with `pole`, as little as makes it readable on every paper.
    fn readable_on(self, papers: &[Self], pole: Self) -> Self {
        let mixtures = (0..=100).step_by(usize::from(STEP)).map(|share| self.mixed(pole, share));
        mixtures.into_iter().find(|mixed| mixed.least_contrast(papers) >= NEEDED).unwrap_or(pole)
    }

    fn least_contrast(self, papers: &[Self]) -> f64 {
        papers.iter().map(|paper| self.contrast(*paper)).fold(f64::INFINITY, f64::min)
    }

    /// From 1, the same luminance, to 21, black on white.
    pub(crate) fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Relative luminance.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.0722f64
            .mul_add(linear(self.2), 0.2126f64.mul_add(linear(self.0), 0.7152 * linear(self.1)))
    }

    /// With `share` percent of another colour in it.
    fn mixed(self, other: Self, share: u16) -> Self {
        let mix = |one: u8, two: u8| {
            let sum = u16::from(one) * (100 - share) + u16::from(two) * share;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_matches_published_values() {
        let grey = Colour(0x76, 0x76, 0x76);
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 0.001);
        assert!((grey.contrast(Colour::WHITE) - 4.54).abs() < 0.01, "the palest grey that passes");
    }

    #[test]
    fn accepted_colours_are_readable_everywhere() {
        for text in ["#0b5d57", "#005eb8", "#a5201b", "#7a1fa2", "#000000", "#00008b", "#8b0000"] {
            let colour = Colour::parse(text).unwrap_or_else(|why| panic!("{why}"));
            for (accent, papers) in [(colour.light(), LIGHT_PAPERS), (colour.dark(), DARK_PAPERS)] {
                for paper in papers {
                    assert!(accent.main.contrast(paper) >= NEEDED, "{text} on {paper}");
                }
                for ground in [accent.main, accent.deep] {
                    assert!(accent.text.contrast(ground) >= NEEDED, "{text} under text");
                }
            }
        }
    }

    #[test]
    fn pale_colour_names_darker_one() {
        for pale in ["#1d70b8", "#ffcc00", "#ffffff", "#00ffff", "#1a8cff"] {
            let why = Colour::parse(pale).unwrap_err();
            let darker = why.rsplit('`').nth(1).unwrap();
            assert!(Colour::parse(darker).is_ok(), "{why}");
        }
        for wrong in ["green", "#fff", "0b5d57", "#0b5d5g", "#+b5d57", "#0b5d57 "] {
            assert!(Colour::parse(wrong).unwrap_err().contains("#rrggbb"), "{wrong}");
        }
    }
}
