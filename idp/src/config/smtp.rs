//! `[smtp]`: how mail is sent.

use std::time::Duration;

use lettre::Address;

use super::brand::BrandConfig;
use super::parse::{is_loopback, parse_duration, parse_line, parse_number};
use super::reader::{Reader, Reported};
use super::secret::Secret;

/// The mail server and the sender.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// Name of the server. Its certificate must be valid for it.
    pub host: String,
    /// Default 587 with `starttls`, 465 with `tls`, 25 with `none`.
    pub port: u16,
    /// How the connection is protected. Default `starttls`, which is required, never optional.
    pub tls: SmtpTls,
    /// User name and password, when the server requires them.
    pub credentials: Option<SmtpCredentials>,
    /// The address in `From` and in the envelope.
    pub from_address: Address,
    /// The name in `From`. Default: `brand.name`.
    pub from_name: String,
    /// How long one attempt may take in total, with the connection. Default 20 s.
    pub timeout: Duration,
    /// Codes that are sent at once, each on its own connection. Default 8. Two more connections are for notices.
    pub connections: u16,
}

/// How the connection to the mail server is protected (RFC 8314).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS after `STARTTLS`; a server that does not offer it gets no mail (RFC 3207).
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// No TLS: only for a server on this machine.
    None,
}

/// The credentials of `AUTH` (RFC 4954).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpCredentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

impl SmtpConfig {
    pub(super) fn read(reader: &mut Reader, brand: Option<&BrandConfig>) -> Option<Self> {
        let host = reader.required("smtp.host", "the name of your mail server", parse_host);
        let tls = reader.or_default("smtp.tls", SmtpTls::StartTls, SmtpTls::parse);
        let in_clear = tls == Some(SmtpTls::None)
            && host.as_deref().is_some_and(|host: &str| !is_loopback(host));
        if in_clear {
            let why = "`none` sends codes in the clear and is for a server on this machine alone; \
                       use `starttls` or `tls`";
            reader.add_problem("smtp.tls", why);
        }
        let default_port = tls.map_or(0, SmtpTls::default_port);
        let port = reader
            .or_default("smtp.port", default_port, |text| parse_number(text, &(1..=u16::MAX)));
        let credentials = SmtpCredentials::read(reader);
        let what = "the address that sign-in codes come from";
        let from_address = reader.required("smtp.from_address", what, parse_address);
        let from_name = reader.optional("smtp.from_name", |text| parse_line(text, 100));
        let range = Duration::from_secs(1)..=Duration::from_mins(5);
        let timeout = reader.or_default("smtp.timeout", Duration::from_secs(20), |text| {
            parse_duration(text, &range)
        });
        let connections =
            reader.or_default("smtp.connections", 8, |text| parse_number(text, &(1..=256)));
        Some(Self {
            host: host?,
            port: port?,
            tls: tls?,
            credentials: credentials.ok()?,
            from_address: from_address?,
            from_name: from_name?.or_else(|| Some(brand?.name.clone()))?,
            timeout: timeout?,
            connections: connections?,
        })
    }
}

impl SmtpTls {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "starttls" => Ok(Self::StartTls),
            "tls" => Ok(Self::Tls),
            "none" => Ok(Self::None),
            _ => Err(format!("`{text}` is not one of `starttls`, `tls`, `none`")),
        }
    }

    /// The default port (RFC 8314, section 7; RFC 5321 without TLS).
    fn default_port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

impl SmtpCredentials {
    fn read(reader: &mut Reader) -> Result<Option<Self>, Reported> {
        let username = reader.optional("smtp.username", |text| parse_line(text, 320));
        let password = reader.secret("smtp.password", "smtp.password_file");
        match (username.ok_or(Reported)?, password?) {
            (Some(username), Some(password)) => Ok(Some(Self { username, password })),
            (None, None) => Ok(None),
            (Some(_), None) => {
                let why = "is missing while smtp.username is set; set it or smtp.password_file";
                reader.add_problem("smtp.password", why);
                Err(Reported)
            }
            (None, Some(_)) => {
                reader
                    .add_problem("smtp.username", "is missing while smtp.password is set; set it");
                Err(Reported)
            }
        }
    }
}

fn parse_host(text: &str) -> Result<String, String> {
    if text.contains(['/', '@', ' ']) {
        return Err("must be the name of a server alone, such as `mail.example.org`".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|_| {
        "is not an e-mail address; write it alone, such as `codes@login.example.org`".to_owned()
    })
}
