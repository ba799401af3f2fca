//! What all mails of a replica have in common.

use super::smtp::Sender;
use crate::{brand::Brand, config::Issuer};

/// What all mails of a replica have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MailContext<'a> {
    /// Name, look, support line and time zone.
    pub(crate) brand: &'a Brand,
    /// The issuer, whose host a code is bound to.
    pub(crate) issuer: &'a Issuer,
    /// The sender of all mails.
    pub(crate) sender: &'a Sender,
}

impl<'a> MailContext<'a> {
    /// The host that people see in the address bar.
    pub(super) fn host(&self) -> &'a str {
        self.issuer.url().host_str().unwrap_or_default()
    }
}
