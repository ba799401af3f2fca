//! The content security policy of pages.

/// Nothing is loaded but our own style sheet and pictures; nobody frames us; forms go to us.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                                 base-uri 'none'; frame-ancestors 'none'";

/// The same for a page whose form may end in a redirect to a source (decision 18).
pub(super) fn with_form_action(source: &str) -> String {
    POLICY.replace("form-action 'self'", &format!("form-action 'self' {source}"))
}
