//! What an attempt answers: the authorization request of a client, or a person who opened a page of ours.

use crate::{
    login::goal::{Goal, Page},
    request::AuthorizationRequest,
};

/// What an attempt answers.
#[derive(Clone, Debug)]
pub enum AttemptRequest {
    /// The authorization request of a client, as it was checked.
    Client(Box<AuthorizationRequest>),
    /// A page of ours.
    Page(Page),
}

/// The request of an attempt whose goal is a page: it says nothing that the goal does not.
const PAGE_REQUEST: &str = "{}";

impl AttemptRequest {
    /// Where the attempt ends.
    pub(crate) const fn goal(&self) -> Goal {
        match self {
            Self::Client(_) => Goal::Client,
            Self::Page(page) => Goal::Page(*page),
        }
    }

    /// The authorization request, if there is one.
    #[must_use]
    pub fn authorization(&self) -> Option<&AuthorizationRequest> {
        match self {
            Self::Client(request) => Some(request),
            Self::Page(_) => None,
        }
    }

    /// The client, if there is one.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.authorization().map(|request| request.client_id.as_str())
    }

    /// Its text in the row of an attempt.
    pub(crate) fn to_text(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Client(request) => serde_json::to_string(request),
            Self::Page(_) => Ok(PAGE_REQUEST.to_owned()),
        }
    }

    /// Reads the text of a row with this goal.
    pub(crate) fn parse(goal: Goal, text: &str) -> Result<Self, serde_json::Error> {
        match goal {
            Goal::Client => {
                serde_json::from_str(text).map(|request| Self::Client(Box::new(request)))
            }
            Goal::Page(page) => Ok(Self::Page(page)),
        }
    }
}

impl From<AuthorizationRequest> for AttemptRequest {
    fn from(request: AuthorizationRequest) -> Self {
        Self::Client(Box::new(request))
    }
}
