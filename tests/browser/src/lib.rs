//! A real Chromium for tests of the pages, in addition to the harness that every end-to-end test links.

pub mod accessibility;
pub mod browser;
pub mod virtual_authenticator;
