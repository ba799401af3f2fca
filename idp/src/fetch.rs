//! The only HTTP client.
//!
//! It has three users. The demo portal of `dev` connects to its provider on the same machine, so its client is limited to
//! loopback and loads no root certificates. `doctor` reads the discovery document of our own issuer, as clients do, and
//! posts nothing to its sign-in page. Traces are sent to the collector that the operator configured. No client follows
//! redirects or uses a proxy of the environment, so no answer can choose another host.

use std::pin::Pin;
use std::time::Duration;

use axum::http::{self, Response};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

use crate::config::is_loopback;

/// The largest answer that is read, in bytes.
const BODY_MAX: usize = 1 << 20;

/// An HTTP client. Follows no redirect: one from the token endpoint would send the client's secret to another host.
#[derive(Clone, Debug)]
pub struct Fetch {
    client: reqwest::Client,
    allowed_hosts: AllowedHosts,
}

/// Where a client may connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AllowedHosts {
    /// This machine.
    Loopback,
    /// Any host. The address comes from the configuration, never from a request.
    Anywhere,
}

/// A client for the collector of traces, which may be on any host.
///
/// # Errors
/// The HTTP library cannot start.
pub(crate) fn collector_client() -> Result<reqwest::Client, FetchError> {
    #[expect(clippy::disallowed_methods, reason = "this is the one client")]
    let builder = reqwest::Client::builder();
    Ok(builder
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(5))
        .build()?)
}

/// A request that was not made, or an answer that was not read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is not on this machine.
    #[error("{0} is not an address of this machine")]
    NotLoopback(String),
    /// The answer is longer than this client reads.
    #[error("the answer is larger than {BODY_MAX} bytes")]
    TooLarge,
    /// There was no connection, or it timed out.
    #[error("the request failed")]
    Failed(#[from] reqwest::Error),
    /// The answer cannot be represented as a response.
    #[error("the answer is malformed")]
    Malformed(#[from] http::Error),
}

impl Fetch {
    /// A client for this machine.
    ///
    /// # Errors
    /// The HTTP library cannot start.
    pub fn loopback() -> Result<Self, FetchError> {
        let client = client_builder().tls_certs_only([]).build()?;
        Ok(Self { client, allowed_hosts: AllowedHosts::Loopback })
    }

    /// A client for an address that an operator has configured. Trusts the root certificates of this machine.
    ///
    /// # Errors
    /// The HTTP library cannot start.
    pub(crate) fn anywhere() -> Result<Self, FetchError> {
        Ok(Self { client: client_builder().build()?, allowed_hosts: AllowedHosts::Anywhere })
    }

    /// Reads a document.
    ///
    /// # Errors
    /// There was no connection, it timed out, or the answer is too large.
    pub async fn get(&self, url: &str) -> Result<HttpResponse, FetchError> {
        self.request(http::Request::get(url).body(Vec::new())?).await
    }

    /// Posts an empty body.
    ///
    /// # Errors
    /// As [`Fetch::get`].
    pub(crate) async fn post_nothing(&self, url: &str) -> Result<HttpResponse, FetchError> {
        self.request(http::Request::post(url).body(Vec::new())?).await
    }

    async fn request(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let host = request.uri().host().unwrap_or_default();
        if self.allowed_hosts == AllowedHosts::Loopback && !is_loopback(host) {
            return Err(FetchError::NotLoopback(host.to_owned()));
        }
        let request = reqwest::Request::try_from(request)?;
        let mut answer = self.client.execute(request).await.map_err(reqwest::Error::without_url)?;
        let mut builder = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            builder = builder.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(builder.body(body)?)
    }
}

fn client_builder() -> reqwest::ClientBuilder {
    #[expect(clippy::disallowed_methods, reason = "this is the one client")]
    let builder = reqwest::Client::builder();
    builder
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(2))
        .timeout(Duration::from_secs(10))
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.request(request))
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::{get, post};

    use super::*;

    async fn server() -> String {
        let app = Router::new()
            .route("/away", get(|| async { Redirect::to("http://192.0.2.1/") }))
            .route("/large", get(|| async { vec![0_u8; BODY_MAX + 1] }))
            .route("/echo", post(|body: String| async move { body }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    async fn call(method: &str, url: &str, body: &str) -> Result<HttpResponse, FetchError> {
        let request = http::Request::builder().method(method).uri(url);
        let request = request.body(body.as_bytes().to_vec()).unwrap();
        Fetch::loopback().unwrap().call(request).await
    }

    #[tokio::test]
    async fn request_and_response_pass_unchanged() {
        let base = server().await;
        let answer = call("POST", &format!("{base}/echo"), "code=x").await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.body().as_slice()),
            (200, b"code=x".as_slice())
        );
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let base = server().await;
        let answer = call("GET", &format!("{base}/away"), "").await.unwrap();
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()["location"], "http://192.0.2.1/");
    }

    #[tokio::test]
    async fn remote_hosts_and_oversize_bodies_fail() {
        let base = server().await;
        let large = call("GET", &format!("{base}/large"), "").await;
        assert!(matches!(large, Err(FetchError::TooLarge)));
        for url in ["http://192.0.2.1/", "http://localhost.example/", "http://127.0.0.1.example/"] {
            assert!(matches!(call("GET", url, "").await, Err(FetchError::NotLoopback(_))), "{url}");
        }
        let closed = call("GET", "http://127.0.0.1:1/", "").await;
        assert!(matches!(closed, Err(FetchError::Failed(_))));
    }
}
