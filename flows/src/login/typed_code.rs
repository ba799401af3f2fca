//! What a person types or pastes into the field for the code.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::refusal::CodeRefusal;

/// Digits of a code.
const DIGITS: usize = 6;

/// Reads six digits from what was typed or pasted: digits of any script count by their value, and everything around them is
/// ignored, so that the title of the mail can be pasted whole.
///
/// # Errors
///
/// [`CodeRefusal::NotDigits`] where letters are left without six digits, and else [`CodeRefusal::NotSixDigits`].
pub fn parse(typed: &str) -> Result<String, CodeRefusal> {
    let digits: String = typed.chars().filter_map(ascii_digit).collect();
    if digits.len() == DIGITS {
        Ok(digits)
    } else if typed.chars().any(char::is_alphabetic) {
        Err(CodeRefusal::NotDigits)
    } else {
        Err(CodeRefusal::NotSixDigits(digits.len()))
    }
}

/// The value of a decimal digit, as an ASCII digit. Unicode encodes the ten digits of a script in a row, from zero to nine, and
/// rows that touch follow each other whole (The Unicode Standard, section 4.6).
fn ascii_digit(c: char) -> Option<char> {
    if !is_decimal(c) {
        return None;
    }
    let before = (0..u32::from(c)).rev().map_while(char::from_u32).take_while(|c| is_decimal(*c));
    char::from_digit(u32::try_from(before.count()).ok()? % 10, 10)
}

fn is_decimal(c: char) -> bool {
    c.general_category() == GeneralCategory::DecimalNumber
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_code_formats_are_read() {
        for typed in [
            "123456",
            " 123 456 ",
            "123-456",
            "123\u{00A0}456",
            "\u{FF11}23456",
            "123\u{2013}456\n",
            "#123 456",
            "123456.",
            "123 456 is your sign-in code",
        ] {
            assert_eq!(parse(typed).as_deref(), Ok("123456"), "{typed:?}");
        }
        assert_eq!(parse("12345"), Err(CodeRefusal::NotSixDigits(5)));
        assert_eq!(parse("1234567"), Err(CodeRefusal::NotSixDigits(7)));
        assert_eq!(parse("KOWHAI-27 123456"), Err(CodeRefusal::NotDigits));
        assert_eq!(parse("12345a"), Err(CodeRefusal::NotDigits));
        assert_eq!(parse("true"), Err(CodeRefusal::NotDigits));
        assert_eq!(parse("½²³④"), Err(CodeRefusal::NotSixDigits(0)));
        assert_eq!(parse(""), Err(CodeRefusal::NotSixDigits(0)));
    }

    #[test]
    fn digits_of_any_script_count() {
        for zero in [
            '\u{0030}',
            '\u{0660}',
            '\u{06F0}',
            '\u{0966}',
            '\u{09E6}',
            '\u{0AE6}',
            '\u{0E50}',
            '\u{17E0}',
            '\u{1810}',
            '\u{FF10}',
            '\u{1D7CE}',
            '\u{1D7EC}',
        ] {
            let typed: String = [3, 6, 9, 9, 5, 0]
                .into_iter()
                .filter_map(|digit| char::from_u32(u32::from(zero) + digit))
                .collect();
            assert_eq!(parse(&typed).as_deref(), Ok("369950"), "{typed}");
        }
    }

    #[test]
    fn invisible_marks_are_ignored() {
        let marks = "\u{200B}\u{200E}\u{202C}\u{2060}\u{2066}\u{2069}\u{00AD}\u{FE0F}\u{FEFF}";
        for mark in marks.chars() {
            assert_eq!(
                parse(&format!("{mark}369{mark}955{mark}")).as_deref(),
                Ok("369955"),
                "{mark:?}"
            );
        }
    }
}
