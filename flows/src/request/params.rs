//! Parameters of an OAuth request: each at most once (RFC 6749, section 3.1).

use std::collections::HashMap;

/// Names a resource server, and may come more than once (RFC 8707, section 2). It is ignored: there is one resource server.
const RESOURCE: &str = "resource";

/// Parameters by name. A parameter without a value counts as omitted (RFC 6749, section 3.1).
#[derive(Clone, Debug, Default)]
pub struct Params {
    values: HashMap<String, String>,
    duplicate: Option<String>,
}

impl Params {
    /// Collects decoded pairs.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut params = Self::default();
        for (name, value) in pairs {
            if value.is_empty() || name == RESOURCE {
                continue;
            }
            if params.values.insert(name.clone(), value).is_some() {
                params.duplicate.get_or_insert(name);
            }
        }
        params
    }

    /// Parses a query string or form body.
    #[must_use]
    pub fn parse(encoded: &[u8]) -> Self {
        Self::new(url::form_urlencoded::parse(encoded).into_owned())
    }

    /// A parameter's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The first parameter that occurs more than once.
    #[must_use]
    pub fn duplicate(&self) -> Option<&str> {
        self.duplicate.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_resource_is_no_duplicate() {
        let params = Params::parse(b"a=1&resource=https%3A%2F%2Fa.example&resource=b&resource=");
        assert_eq!((params.duplicate(), params.get("a")), (None, Some("1")));
        assert_eq!(params.get("resource"), None);
        assert_eq!(Params::parse(b"a=1&a=1&resource=b").duplicate(), Some("a"));
        assert_eq!(Params::parse(b"a=1&a=").duplicate(), None);
    }
}
