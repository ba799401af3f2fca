//! `/oauth2/*` and discovery.

mod authorize;
mod cors;
mod discovery;
mod grants;
mod logout;
mod silent;
mod token;
mod userinfo;
