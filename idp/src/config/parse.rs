//! Values that more than one section reads.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A duration with its unit, within `range`: `15m`, `30s`, `1h 30m`.
pub(super) fn parse_duration(
    text: &str,
    range: &RangeInclusive<Duration>,
) -> Result<Duration, String> {
    let parsed = jiff::SignedDuration::from_str(text).ok();
    let value = parsed.and_then(|value| Duration::try_from(value).ok()).ok_or_else(|| {
        format!("`{text}` is not a duration; write a number with its unit, such as `30s` or `15m`")
    })?;
    if range.contains(&value) {
        return Ok(value);
    }
    let shown = |value: &Duration| {
        format!("{:#}", jiff::SignedDuration::try_from(*value).unwrap_or_default())
    };
    Err(format!("`{text}` is out of range; use {} to {}", shown(range.start()), shown(range.end())))
}

/// A whole number within `range`.
pub(super) fn parse_number<T>(text: &str, range: &RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let value = text.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| {
        format!("`{text}` is not a number from {} to {}", range.start(), range.end())
    })
}

/// A line that people will read: no control characters, at most `max` characters.
pub(super) fn parse_line(text: &str, max: usize) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err(
            "has a line break or another control character; write one plain line".to_owned()
        );
    }
    if text.chars().count() > max {
        return Err(format!("is longer than {max} characters; shorten it"));
    }
    Ok(text.to_owned())
}

/// Whether a host name or address can only be this machine (RFC 6761, section 6.3, for the name).
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
