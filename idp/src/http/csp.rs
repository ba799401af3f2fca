//! The content security policy of pages.

/// Nothing is loaded but our own style sheet, script and pictures; no page frames ours; forms are posted to us, and no
/// answer to a post of one of our pages is a redirect to another origin (decision 31).
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                                 base-uri 'none'; frame-ancestors 'none'";
