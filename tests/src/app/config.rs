//! The default configuration of a test's provider.

use std::time::Duration;

use idp::config::{BrandConfig, BrandLinks, SmtpConfig, SmtpTls};
use jiff::tz::TimeZone;
use keys::{RootKey, RootKeys};

use crate::mail_server::MailServer;

/// The front page of the service.
pub const HOME: &str = "https://www.example.org/";

pub(super) fn brand() -> BrandConfig {
    BrandConfig {
        name: "Test Health".to_owned(),
        home: HOME.parse().expect("an address"),
        links: BrandLinks {
            privacy: Some("https://www.example.org/privacy".parse().expect("an address")),
            ..BrandLinks::default()
        },
        logo: None,
        colour: None,
        support: Some("Call 0800 111 222".to_owned()),
        time_zone: TimeZone::UTC,
    }
}

pub(super) fn smtp(mail: &MailServer, timeout: Duration) -> SmtpConfig {
    SmtpConfig {
        host: mail.address().ip().to_string(),
        port: mail.address().port(),
        tls: SmtpTls::None,
        credentials: None,
        from_address: "codes@login.example.org".parse().expect("an address"),
        from_name: "Test Health".to_owned(),
        timeout,
        connections: 8,
    }
}

/// The root key of every test database: its id, and the byte that it consists of.
pub const TEST_ROOT_KEYS: &[(&str, u8)] = &[("test", 7)];

/// The root key of every test database.
pub fn root_keys() -> RootKeys {
    root_keys_of(TEST_ROOT_KEYS)
}

/// Root keys, the current one first.
pub fn root_keys_of(keys: &[(&str, u8)]) -> RootKeys {
    let keys: Vec<_> =
        keys.iter().map(|(id, byte)| RootKey::parse(id, &[*byte; 32]).expect("32 bytes")).collect();
    RootKeys::new(&keys).expect("one key or more")
}

/// The address of the mail server as a line of a configuration file.
pub fn smtp_toml(mail: &MailServer) -> String {
    let address = mail.address();
    format!(
        "[smtp]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nfrom_address = \"codes@login.example.org\"\n\
         timeout = \"5s\"\n",
        address.ip(),
        address.port()
    )
}
