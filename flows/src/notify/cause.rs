//! What a job carries of the request that asked for it, so that its rows in the trail can be found by that request.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Mail;
use crate::Cx;

/// The request that caused something that happens after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cause {
    /// The request's reference.
    pub(crate) reference: String,
    /// Where it came from, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<IpAddr>,
    /// Through which client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
}

impl Cause {
    /// The request of `cx`, which is about `client`.
    pub(super) fn of(cx: &Cx, client: Option<&str>) -> Self {
        Self {
            reference: cx.trace.reference.clone(),
            network: cx.trace.network,
            client: client.map(str::to_owned),
        }
    }
}

/// The payload of a job. A build that knows no cause reads it all the same, and one of such a build has none.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payload {
    #[serde(flatten)]
    pub(super) mail: Mail,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<Cause>,
}

#[cfg(test)]
mod tests {
    use store::UserId;

    use super::*;

    fn user() -> UserId {
        "0193a5b0-0000-7000-8000-000000000001".parse().unwrap()
    }

    #[test]
    fn a_payload_of_a_build_without_causes_is_read() {
        let (user, mail) = (user(), Mail::ResetForced { user: user() });
        let text = format!(r#"{{"mail":"reset_forced","user":"{user}"}}"#);
        assert_eq!(serde_json::to_string(&mail).unwrap(), text);
        let read: Payload = serde_json::from_str(&text).unwrap();
        assert_eq!(read, Payload { mail, cause: None });
    }

    #[test]
    fn a_payload_of_this_build_is_read_by_one_without_causes() {
        let (user, mail) = (user(), Mail::ResetForced { user: user() });
        let cause = Cause { reference: "K7MPQ2".to_owned(), network: None, client: None };
        let payload = Payload { mail, cause: Some(cause) };
        let text = serde_json::to_string(&payload).unwrap();
        let wanted = format!(
            r#"{{"mail":"reset_forced","user":"{user}","cause":{{"reference":"K7MPQ2"}}}}"#
        );
        assert_eq!(text, wanted);
        assert_eq!(serde_json::from_str::<Payload>(&text).unwrap(), payload);
        assert_eq!(serde_json::from_str::<Mail>(&text).unwrap(), mail);
    }
}
