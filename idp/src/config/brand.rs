//! `[brand]`: what people see as the name of the service.

use jiff::tz::TimeZone;

use super::parse::parse_line;
use super::reader::Reader;
use crate::mail::forbidden::first_forbidden;

/// Name, help and time zone of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrandConfig {
    /// The name on pages and in mail. Default `Vestibule`.
    pub name: String,
    /// Where people find help, as text or a telephone number. Without it pages leave the line out.
    pub support: Option<String>,
    /// The time zone of pages and mail. Default `Pacific/Auckland`.
    pub time_zone: TimeZone,
}

impl BrandConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let name = reader.or_default("brand.name", "Vestibule".to_owned(), parse_name);
        let support = reader.optional("brand.support", |text| parse_line(text, 200));
        let time_zone = reader.optional("brand.time_zone", parse_time_zone);
        let time_zone = match time_zone? {
            Some(zone) => Some(zone),
            None => parse_time_zone("Pacific/Auckland")
                .map_err(|why| reader.add_problem("brand.time_zone", why))
                .ok(),
        };
        Some(Self { name: name?, support: support?, time_zone: time_zone? })
    }
}

/// Parses the name. It is in every mail, and no mail may contain text that looks like a link.
fn parse_name(text: &str) -> Result<String, String> {
    if first_forbidden(text).is_some() {
        return Err(format!(
            "`{text}` would make every mail look as if it had a link; write a name, not an address"
        ));
    }
    parse_line(text, 60)
}

fn parse_time_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| {
        format!("`{text}` is not a known time zone; use a name such as `Pacific/Auckland` or `UTC`")
    })
}
