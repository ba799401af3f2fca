//! A handler takes the extractor of its route's caller, once, and that of no other. The compiler checks it: `routes!` wraps
//! each handler in [`called_by`].

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Path, State, rejection::PathRejection},
    handler::Handler,
    http::{HeaderMap, request::Parts},
};

use super::{Form, Query};
use crate::app::App;

/// The extractor of a route without authentication of its caller.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Anyone;

impl FromRequestParts<App> for Anyone {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// What a handler may take besides its caller. It does not identify the caller.
pub(in crate::http) trait BesideCaller {}

impl BesideCaller for State<App> {}
impl BesideCaller for HeaderMap {}
impl BesideCaller for Query {}
impl BesideCaller for Form {}
impl BesideCaller for Result<Path<String>, PathRejection> {}

/// Which parameter of a handler is its caller.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Nth<const N: usize>;

/// Parameters of a handler (after the marker `M`, which axum puts first) of which the caller `C` is the `P`th.
#[diagnostic::on_unimplemented(
    message = "a handler of this route takes `{C}`, the extractor of its caller, and no other caller's",
    note = "change the caller's column in routes.rs, or the handler"
)]
pub(in crate::http) trait Takes<C, P> {}

impl<M, C> Takes<C, Nth<0>> for (M, C) {}
impl<M, C, A: BesideCaller> Takes<C, Nth<0>> for (M, C, A) {}
impl<M, C, A: BesideCaller> Takes<C, Nth<1>> for (M, A, C) {}
impl<M, C, A: BesideCaller, B: BesideCaller> Takes<C, Nth<0>> for (M, C, A, B) {}
impl<M, C, A: BesideCaller, B: BesideCaller> Takes<C, Nth<1>> for (M, A, C, B) {}
impl<M, C, A: BesideCaller, B: BesideCaller> Takes<C, Nth<2>> for (M, A, B, C) {}

/// The handler of a route that `C` calls.
pub(in crate::http) const fn called_by<C, P, H, T>(handler: H) -> H
where
    H: Handler<T, App>,
    T: Takes<C, P>,
{
    handler
}
