//! `/oauth2/*` and discovery.

mod authorize;
mod discovery;
mod logout;
mod silent;
mod token;
mod userinfo;
