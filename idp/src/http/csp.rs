//! The content security policy of pages.

/// Pages load only our own style sheets and images; no site may frame them; their forms are posted to us only.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                                 base-uri 'none'; frame-ancestors 'none'";

/// The policy of a page whose form may end in a redirect to a source (decision 18).
pub(super) fn with_form_action(source: &str) -> String {
    POLICY.replace("form-action 'self'", &format!("form-action 'self' {source}"))
}
