//! Parsing what a person types or pastes into the field for the code.

use super::refusal::CodeRefusal;

/// Digits of a code.
const DIGITS: usize = 6;

/// Parses six digits from what was typed or pasted: spaces and dashes are removed, full-width digits count.
///
/// # Errors
///
/// [`CodeRefusal::NotDigits`] when any other character was typed, otherwise [`CodeRefusal::NotSixDigits`].
pub fn parse(typed: &str) -> Result<String, CodeRefusal> {
    let kept: Vec<char> = typed
        .chars()
        .filter(|c| {
            !c.is_whitespace()
                && !matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{200B}' | '\u{FEFF}')
        })
        .collect();
    let digits: String = kept.iter().filter_map(|c| ascii_digit(*c)).collect();
    if digits.len() != kept.len() {
        return Err(CodeRefusal::NotDigits);
    }
    if digits.len() == DIGITS { Ok(digits) } else { Err(CodeRefusal::NotSixDigits(digits.len())) }
}

fn ascii_digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '\u{FF10}'..='\u{FF19}' => char::from_digit(u32::from(c).checked_sub(0xFF10)?, 10),
        _ => None,
    }
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
        ] {
            assert_eq!(parse(typed).as_deref(), Ok("123456"), "{typed:?}");
        }
        assert_eq!(parse("12345"), Err(CodeRefusal::NotSixDigits(5)));
        assert_eq!(parse("1234567"), Err(CodeRefusal::NotSixDigits(7)));
        assert_eq!(parse("12345a"), Err(CodeRefusal::NotDigits));
        assert_eq!(parse("true"), Err(CodeRefusal::NotDigits));
        assert_eq!(parse("١٢٣٤٥٦"), Err(CodeRefusal::NotDigits));
        assert_eq!(parse(""), Err(CodeRefusal::NotSixDigits(0)));
    }
}
