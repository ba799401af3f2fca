//! Whether the mail server accepts our mail, and whether receiving servers are likely to.

use super::Finding;
use crate::{
    config::{Config, SmtpConfig},
    mail::smtp::Mailer,
};

/// Connects, authenticates and sends `MAIL FROM` with our sender. No mail is sent.
pub(super) async fn check_server(smtp: &SmtpConfig) -> Finding {
    const NAME: &str = "smtp";
    let probed = match Mailer::smtp(smtp) {
        Ok(mailer) => mailer.probe_sender().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match probed {
        Ok(()) => Finding::good(NAME, "answers and accepts our sender"),
        Err(why) => Finding::failed(
            NAME,
            format!(
                "{why}; look at smtp.host, smtp.port, smtp.tls, smtp.username and smtp.from_address"
            ),
        ),
    }
}

/// Warns when the sender's domain is not that of the issuer. Such a mail looks like phishing to its reader, and mail that
/// is not aligned with its domain ends in junk folders (RFC 7489, section 3.1).
pub(super) fn check_sender(config: &Config) -> Finding {
    const NAME: &str = "smtp.from_address";
    let (from, host) = (
        config.smtp.from_address.domain().to_lowercase(),
        config.issuer.url().host_str().unwrap_or_default().to_lowercase(),
    );
    if is_aligned(&from, &host) {
        return Finding::good(NAME, format!("{from} belongs with the issuer"));
    }
    Finding::warning(
        NAME,
        format!(
            "{from} is not of the issuer's domain ({host}); send from that domain or a subdomain, with SPF, DKIM and DMARC"
        ),
    )
}

/// Whether two names share a registrable domain, guessed from the names alone: two labels, or three where the second one
/// is as short as in `govt.nz` or `co.uk`.
fn is_aligned(one: &str, other: &str) -> bool {
    let pairs = one.rsplit('.').zip(other.rsplit('.'));
    let shared: Vec<&str> = pairs.take_while(|(a, b)| a == b).map(|(label, _)| label).collect();
    let needed = match shared.as_slice() {
        [top, second, ..] if top.len() == 2 && second.len() <= 4 => 3,
        _ => 2,
    };
    one == other || shared.len() >= needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignment_compares_registrable_domains() {
        for (from, host) in [
            ("login.example.org", "login.example.org"),
            ("example.org", "login.example.org"),
            ("mail.example.org", "login.example.org"),
            ("health.govt.nz", "login.health.govt.nz"),
            ("localhost", "localhost"),
        ] {
            assert!(is_aligned(from, host), "{from} {host}");
        }
        for (from, host) in [
            ("example.com", "login.example.org"),
            ("mail.org", "example.org"),
            ("tax.govt.nz", "login.health.govt.nz"),
            ("govt.nz", "login.health.govt.nz"),
            ("login.example.org", "localhost"),
        ] {
            assert!(!is_aligned(from, host), "{from} {host}");
        }
    }
}
