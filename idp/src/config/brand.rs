//! `[brand]`: what people see as the name of the service.

use std::path::PathBuf;

use jiff::tz::TimeZone;
use url::Url;

use super::colour::Colour;
use super::parse::{is_loopback, parse_line};
use super::reader::Reader;
use crate::mail::forbidden::first_forbidden;

/// The longest address of a link on our pages.
const LINK_MAX: usize = 500;

/// Name, home, look, help and time zone of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrandConfig {
    /// The name on pages and in mail. Default `Vestibule`.
    pub name: String,
    /// Where a person goes from a page that ends somewhere, and where `/` leads.
    pub home: Url,
    /// Links at the foot of every page.
    pub links: BrandLinks,
    /// A PNG or SVG file, shown instead of the name at the head of pages; a PNG in mails, too.
    pub logo: Option<PathBuf>,
    /// The accent colour of pages and mails. Default: our own.
    pub colour: Option<Colour>,
    /// Where people find help, as text or a telephone number. Without it pages leave the line out.
    pub support: Option<String>,
    /// The time zone of pages and mail. Default `Pacific/Auckland`.
    pub time_zone: TimeZone,
}

/// Documents of the service, each at an address outside this program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrandLinks {
    /// What is done with personal data.
    pub privacy: Option<Url>,
    /// How accessible the service is.
    pub accessibility: Option<Url>,
    /// The terms of use.
    pub terms: Option<Url>,
}

impl BrandConfig {
    /// Reads the section; `logo` is read already.
    #[expect(clippy::option_option, reason = "wrong and absent are different answers")]
    pub(super) fn read(reader: &mut Reader, logo: Option<Option<PathBuf>>) -> Option<Self> {
        let name = reader.or_default("brand.name", "Vestibule".to_owned(), parse_name);
        let what = "the address of your portal's front page, to which our pages lead back";
        let home = reader.required("brand.home", what, parse_link);
        let links = BrandLinks::read(reader);
        let colour = reader.optional("brand.colour", Colour::parse);
        let support = reader.optional("brand.support", |text| parse_line(text, 200));
        let time_zone = reader.optional("brand.time_zone", parse_time_zone);
        let time_zone = match time_zone? {
            Some(zone) => Some(zone),
            None => parse_time_zone("Pacific/Auckland")
                .map_err(|why| reader.add_problem("brand.time_zone", why))
                .ok(),
        };
        Some(Self {
            name: name?,
            home: home?,
            links: links?,
            logo: logo?,
            colour: colour?,
            support: support?,
            time_zone: time_zone?,
        })
    }
}

impl BrandLinks {
    fn read(reader: &mut Reader) -> Option<Self> {
        let privacy = reader.optional("brand.links.privacy", parse_link);
        let accessibility = reader.optional("brand.links.accessibility", parse_link);
        let terms = reader.optional("brand.links.terms", parse_link);
        Some(Self { privacy: privacy?, accessibility: accessibility?, terms: terms? })
    }
}

/// An address that our pages lead to.
fn parse_link(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| {
        format!(
            "`{text}` is not an address; write the whole one, such as `https://www.example.org/`"
        )
    })?;
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(host)) {
        return Err(format!("`{text}` must begin with `https://`; http is for this machine alone"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "has a user name or a password, which every reader of our pages would see".to_owned()
        );
    }
    if url.as_str().len() > LINK_MAX {
        return Err(format!("is longer than {LINK_MAX} characters; shorten it"));
    }
    Ok(url)
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
