//! The line that says where people find help, with its telephone number as a link (RFC 3966).

/// The fewest digits of a telephone number: fewer are an hour of the day, or a street.
const DIGITS_MIN: usize = 6;
/// The most, with the country's (E.164).
const DIGITS_MAX: usize = 15;

/// A line with a telephone number in it, or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SupportLine {
    pub(super) before: String,
    pub(super) number: Option<PhoneNumber>,
    pub(super) after: String,
}

/// A telephone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PhoneNumber {
    /// As it is written.
    pub(super) text: String,
    /// As it is dialled.
    pub(super) dialled: String,
}

impl SupportLine {
    /// Finds the first telephone number of a line.
    pub(super) fn new(line: &str) -> Self {
        let mut rest = line;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '(')) {
            let from = rest.get(start..).unwrap_or_default();
            let end = from.find(|c: char| !is_part(c)).unwrap_or(from.len());
            let run = from.get(..end).unwrap_or_default();
            let text = run.trim_end_matches(|c: char| !c.is_ascii_digit());
            let offset = line.len() - rest.len() + start;
            // Digits within a word or an address are no number of its own.
            let is_alone = !line.get(..offset).unwrap_or_default().ends_with(is_word);
            let dialled: String =
                text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
            let digits = dialled.trim_start_matches('+');
            let is_number = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
                && digits.bytes().all(|digit| digit.is_ascii_digit());
            if is_number && is_alone {
                let (before, after) = (line.get(..offset), line.get(offset + text.len()..));
                return Self {
                    before: before.unwrap_or_default().to_owned(),
                    number: Some(PhoneNumber { text: text.to_owned(), dialled }),
                    after: after.unwrap_or_default().to_owned(),
                };
            }
            rest = from.get(end.max(1)..).unwrap_or_default();
        }
        Self { before: line.to_owned(), number: None, after: String::new() }
    }
}

/// Whether a character can be in the middle of a telephone number.
fn is_part(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '+' | '(' | ')' | ' ' | '-' | '\u{a0}' | '\u{2011}')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '/' | '.' | '@' | ':' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_number_becomes_link() {
        for (line, text, dialled) in [
            ("Need help? 0800 111 222", "0800 111 222", "0800111222"),
            ("Call +64 (9) 123-4567 from 8 to 5.", "+64 (9) 123-4567", "+6491234567"),
            ("From 8 to 17: (09) 123 4567, ask for IT", "(09) 123 4567", "091234567"),
            ("Room 12, or 0800\u{a0}111\u{a0}222", "0800\u{a0}111\u{a0}222", "0800111222"),
        ] {
            let found = SupportLine::new(line);
            let number = found.number.clone().unwrap_or_else(|| panic!("{line}"));
            assert_eq!((number.text.as_str(), number.dialled.as_str()), (text, dialled));
            assert_eq!(format!("{}{text}{}", found.before, found.after), line);
        }
    }

    #[test]
    fn line_without_number_stays_text() {
        for line in [
            "Ask at the desk on floor 3, from 8 to 17",
            "help@clinic123456.example",
            "https://help.example.org/1234567",
            "Ticket ABC1234567",
            "1234 5678 9012 3456 7890",
            "Māori: 111",
            "",
        ] {
            let plain = SupportLine { before: line.to_owned(), number: None, after: String::new() };
            assert_eq!(SupportLine::new(line), plain);
        }
    }
}
