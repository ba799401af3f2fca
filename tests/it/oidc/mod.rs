//! `/oauth2/*` and discovery.

mod authorize;
mod cors;
mod discovery;
mod logout;
mod silent;
mod token;
mod userinfo;
