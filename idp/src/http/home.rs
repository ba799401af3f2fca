//! `/`: a person who types the address of this program alone wants the service in front of it.

use axum::{extract::State, response::Response};

use super::{extract::Anyone, page};
use crate::app::App;

pub(super) const PATH: &str = "/";

pub(super) async fn get(State(app): State<App>, _: Anyone) -> Response {
    page::see_other(app.brand.home.as_str())
}
