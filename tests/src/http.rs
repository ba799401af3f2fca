//! A headless browser: cookies, redirects and forms, and nothing that a person could not do with them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::{Method, StatusCode, header::HeaderMap};
use url::Url;

use crate::{
    app::{Patient, TestApp},
    client::{AuthorizationResponse, Client, PendingRequest},
    page::Form,
    tls_routing::{TlsRoutes, client_trusting},
};

/// The name of a cookie of ours on the http issuer.
fn name_on_http(name: &str) -> String {
    format!("vestibule-{name}")
}

/// A browser with its cookies. A clone shares them, as tabs do.
#[derive(Clone, Debug)]
pub struct HttpBrowser {
    issuer: Url,
    /// The address to connect to; none resolves the issuer's name, as TLS needs.
    address: Option<SocketAddr>,
    http: reqwest::Client,
    /// The connections for TLS, if the browser uses it.
    tls_routes: Option<Arc<TlsRoutes>>,
    refused_connections: Arc<AtomicUsize>,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    /// Headers of every request.
    pub extra_headers: Vec<(&'static str, String)>,
    /// Whether it sends fetch metadata; Safari before 16.4 and many web views send only `Origin`.
    pub fetch_metadata: bool,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: String,
    /// The requested address.
    pub url: Url,
}

impl HttpBrowser {
    /// A browser without cookies, at a replica.
    pub fn new_at(issuer: &str, address: SocketAddr) -> Self {
        Self::new(issuer, address)
    }

    pub(crate) fn new(issuer: &str, address: SocketAddr) -> Self {
        // Without TLS no authority is trusted: reading the machine's authorities for each browser takes a while.
        Self::with(issuer, Some(address), reqwest::Client::builder().tls_certs_only([]))
    }

    /// A browser without cookies that trusts one authority, and uses HTTP/2 if the server offers it.
    pub fn over_tls(issuer: &str, authority: &str) -> Self {
        Self::with(issuer, None, client_trusting(authority))
    }

    /// The same at a replica, which listens on the issuer's port at its own address.
    pub fn over_tls_at(issuer: &str, authority: &str, address: SocketAddr) -> Self {
        let mut new = Self::over_tls(issuer, authority);
        let name = new.issuer.host_str().expect("a name").to_owned();
        (new.address, new.tls_routes) =
            (Some(address), Some(Arc::new(TlsRoutes::new(authority, &name))));
        new
    }

    /// A new browser at the same replica with the same protocol: no cookies, no connections.
    #[must_use]
    pub fn new_browser(&self) -> Self {
        let (issuer, address) = (self.issuer(), self.address.expect("at a replica"));
        let new = Self::new(&issuer, address);
        let doors = self.tls_routes.as_ref().map(|doors| Arc::new(doors.without_connections()));
        Self { tls_routes: doors, ..new }
    }

    /// The issuer.
    pub fn issuer(&self) -> String {
        self.issuer.origin().ascii_serialization()
    }

    /// How many connections were refused so far; no request was sent on them.
    pub fn refused_connections(&self) -> usize {
        self.refused_connections.load(Ordering::SeqCst)
    }

    fn with(issuer: &str, address: Option<SocketAddr>, builder: reqwest::ClientBuilder) -> Self {
        let builder = builder.redirect(reqwest::redirect::Policy::none()).no_proxy();
        let http = builder.build().expect("a client");
        let issuer = issuer.parse().expect("an address");
        Self {
            issuer,
            address,
            http,
            tls_routes: None,
            refused_connections: Arc::default(),
            cookies: Arc::default(),
            extra_headers: Vec::new(),
            fetch_metadata: true,
        }
    }

    /// A browser without cookies that connects to the issuer's address.
    pub fn at_issuer(issuer: &str) -> Self {
        let port = issuer.parse::<Url>().expect("an address").port().expect("a port");
        Self::new(issuer, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// A browser without cookies whose requests come from an address, as reported by a trusted proxy. It shares connections.
    #[must_use]
    pub fn without_cookies_from(&self, address: &str) -> Self {
        let extra = vec![("x-forwarded-for", address.to_owned())];
        Self { cookies: Arc::default(), extra_headers: extra, ..self.clone() }
    }

    /// The same browser, with its cookies copied and no longer shared.
    #[must_use]
    pub fn with_copied_cookies(&self) -> Self {
        let cookies = Arc::new(Mutex::new(self.jar().clone()));
        Self { cookies, ..self.clone() }
    }

    /// Another browser, without cookies, on the same connections: new ones would cost more than what is measured.
    #[must_use]
    pub fn without_cookies(&self) -> Self {
        Self { cookies: Arc::default(), ..self.clone() }
    }

    /// The same browser with the same cookies, connected to another replica.
    #[must_use]
    pub fn at_replica(&self, address: SocketAddr) -> Self {
        Self { address: Some(address), ..self.clone() }
    }

    /// Opens an address of a provider that may not answer.
    pub async fn try_get(&self, to: impl AsRef<str>) -> Option<Response> {
        let headers = [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")];
        self.try_send(Method::GET, to.as_ref(), &headers, None).await
    }

    /// The value of a cookie of ours: `session`, `browser`, `device` or `locale`.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let jar = self.jar();
        jar.get(&name_on_http(name)).or_else(|| jar.get(&format!("__Host-{name}"))).cloned()
    }

    /// Sets a cookie, as an attacker might.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar().insert(name_on_http(name), value.to_owned());
    }

    fn jar(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.cookies.lock().expect("no holder panicked")
    }

    /// Opens an address of the provider: a path or a complete URL.
    pub async fn get(&self, to: impl AsRef<str>) -> Response {
        let headers = [("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")];
        self.send(Method::GET, to.as_ref(), &headers, None).await
    }

    /// Posts a form of a page of the provider.
    pub async fn post(&self, form: &Form, button: &str) -> Response {
        self.try_post(form, button).await.expect("the provider answers")
    }

    /// Posts a form to a provider that may not answer. A refusal is read from the page that the answer redirects to.
    pub async fn try_post(&self, form: &Form, button: &str) -> Option<Response> {
        let answer = self.post_only(form, button).await?;
        match answer.location() {
            Some(to) if to.query_pairs().any(|(name, _)| name == "refused") => {
                let headers = [
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ];
                self.try_send(Method::GET, to.as_str(), &headers, None).await
            }
            _ => Some(answer),
        }
    }

    /// Posts a form and follows nothing.
    pub async fn post_only(&self, form: &Form, button: &str) -> Option<Response> {
        let mut fields = form.fields.clone();
        if !button.is_empty() {
            fields.push(("action".to_owned(), button.to_owned()));
        }
        let origin = self.issuer.origin().ascii_serialization();
        let headers = [("sec-fetch-site", "same-origin"), ("origin", origin.as_str())];
        self.try_send(Method::POST, &form.action, &headers, Some(&fields)).await
    }

    /// Sends any request.
    pub async fn send(
        &self,
        method: Method,
        to: &str,
        headers: &[(&str, &str)],
        fields: Option<&[(String, String)]>,
    ) -> Response {
        self.try_send(method, to, headers, fields).await.expect("the provider answers")
    }

    /// Sends any request to a provider that may not answer.
    pub async fn try_send(
        &self,
        method: Method,
        to: &str,
        headers: &[(&str, &str)],
        fields: Option<&[(String, String)]>,
    ) -> Option<Response> {
        let url = self.issuer.join(to).expect("an address");
        let mut request = self.request(method, &url);
        let by_address = self.address.is_some() && self.tls_routes.is_none();
        if by_address && !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.issuer.authority());
        }
        let cookies: Vec<_> = self.jar().iter().map(|(n, v)| format!("{n}={v}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            if !self.fetch_metadata && name.starts_with("sec-fetch-") {
                continue;
            }
            request = request.header(*name, *value);
        }
        for (name, value) in &self.extra_headers {
            request = request.header(*name, value);
        }
        if let Some(fields) = fields {
            request = request.form(fields);
        }
        let sent = request.send().await;
        if sent.as_ref().is_err_and(reqwest::Error::is_connect) {
            self.refused_connections.fetch_add(1, Ordering::SeqCst);
        }
        let response = sent.ok()?;
        self.keep_cookies(response.headers());
        let (status, headers) = (response.status(), response.headers().clone());
        Some(Response { status, headers, body: response.text().await.ok()?, url })
    }

    /// A request to the replica of this browser.
    fn request(&self, method: Method, url: &Url) -> reqwest::RequestBuilder {
        let mut direct = url.clone();
        match (self.address, &self.tls_routes) {
            (Some(address), Some(doors)) => {
                return doors.client_for(address).request(method, direct);
            }
            (Some(address), None) => {
                direct.set_host(Some(&address.ip().to_string())).expect("a host");
                direct.set_port(Some(address.port())).expect("a port");
            }
            (None, _) => {}
        }
        self.http.request(method, direct)
    }

    fn keep_cookies(&self, headers: &HeaderMap) {
        for header in headers.get_all("set-cookie") {
            let text = header.to_str().expect("text");
            let (pair, flags) = text.split_once(';').unwrap_or((text, ""));
            let (name, value) = pair.split_once('=').expect("a pair");
            if flags.contains("Max-Age=0") {
                self.jar().remove(name);
            } else {
                self.jar().insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Follows redirects within the provider; stops at a page, or at the first address outside.
    pub async fn follow(&self, mut answer: Response) -> Response {
        for _ in 0..8 {
            let Some(to) = answer.location() else { return answer };
            if to.origin() != self.issuer.origin() {
                return answer;
            }
            answer = self.get(to.as_str()).await;
        }
        panic!("endless redirects, the last to {:?}", answer.location());
    }

    /// Opens the sign-in page with an authorization request of a client.
    pub async fn open_sign_in_page(&self, client: &Client) -> (Response, PendingRequest) {
        let pending = PendingRequest::new(client);
        let page = self
            .follow(self.get(pending.url(&self.issuer.origin().ascii_serialization(), &[])).await)
            .await;
        (page, pending)
    }

    /// Fills in address and password and continues to the next page.
    pub async fn submit_password(&self, page: &Response, patient: &Patient) -> Response {
        let form = page.form().with("email", &patient.email).with("password", &patient.password);
        self.follow(self.post(&form, "continue").await).await
    }

    /// Fills in a code and continues.
    pub async fn submit_code(&self, page: &Response, code: &str) -> Response {
        self.follow(self.post(&page.form().with("code", code), "continue").await).await
    }

    /// Signs in up to the code page; returns the page and the code that was mailed for it.
    pub async fn sign_in_to_code_page(
        &self,
        app: &TestApp,
        client: &Client,
        patient: &Patient,
    ) -> (Response, String, PendingRequest) {
        let (page, pending) = self.open_sign_in_page(client).await;
        let mails = app.mail.codes_to(&patient.email).len();
        let page = self.submit_password(&page, patient).await;
        assert!(page.has_field("code"), "no code page: {} {}", page.status, page.text());
        let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
        (page, code, pending)
    }

    /// Signs in with both steps; ends at the client.
    pub async fn sign_in(
        &self,
        app: &TestApp,
        client: &Client,
        patient: &Patient,
    ) -> AuthorizationResponse {
        let (page, code, pending) = self.sign_in_to_code_page(app, client, patient).await;
        self.submit_code(&page, &code).await.authorization_response(pending)
    }
}

impl Response {
    /// The address that the browser goes on to: by a redirect, or by a page that leads on at once.
    pub fn location(&self) -> Option<Url> {
        let refresh = || self.header("refresh").strip_prefix("0;url=");
        let text = self.headers.get("location").map_or_else(refresh, |to| to.to_str().ok())?;
        Some(self.url.join(text).expect("an address"))
    }

    /// A header as text, empty if absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.body))
    }

    /// The client's callback with its answer.
    pub fn authorization_response(&self, pending: PendingRequest) -> AuthorizationResponse {
        let to = self.location();
        let to = to.unwrap_or_else(|| panic!("no redirect: {} {}", self.status, self.text()));
        assert!(to.as_str().starts_with(&pending.redirect_uri), "not at the client: {to}");
        AuthorizationResponse { url: to, pending }
    }
}
