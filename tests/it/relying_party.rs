//! Client libraries of others, two of them not in Rust, against the running provider: with each algorithm, over TLS, and
//! with the program as a process.

use std::{path::PathBuf, pin::Pin, process::Stdio};

use idp::fetch::Fetch;
use keys::Algorithm;
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    ProviderMetadataWithLogout, RedirectUrl, Scope, TokenResponse,
    core::{CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm, CoreUserInfoClaims},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use url::Url;
use vestibule_tests::{
    app::{Options, TestApp},
    client::{AuthorizationResponse, Client, PendingRequest},
    db::{Engine, TestDb},
    http::HttpBrowser,
    mail_server::MailServer,
    proc::{ChildProcess, run},
    serve_process::ServeSetup,
    tls::CertificateAuthority,
    wait,
};

use crate::engines::{apply, both_engines};

const EMAIL: &str = "mere@patients.example";
const PASSWORD: &str = "a walk along the river";

/// The Python of the environment into which `scripts/prepare` installed the library.
pub(crate) fn python() -> PathBuf {
    let python = vestibule_tests::workspace_root().join("target/tools/python/bin/python");
    assert!(python.exists(), "scripts/prepare installs the Python client library");
    python
}

async fn over_tls(engine: Engine) -> TestApp {
    TestApp::start_with(engine, Options { tls: true, ..Options::default() }).await
}

#[apply(both_engines)]
async fn authlib_signs_in_with_every_algorithm(engine: Engine) {
    authlib_with_each_algorithm(&TestApp::start(engine).await, None).await;
}

#[apply(both_engines)]
async fn authlib_signs_in_over_tls(engine: Engine) {
    let app = over_tls(engine).await;
    let authority = app.authority().file();
    authlib_with_each_algorithm(&app, Some(authority)).await;
}

/// The program as an operator starts it, with its own certificate. Its own commands add people and clients.
#[apply(both_engines)]
async fn authlib_signs_in_at_serve_process(engine: Engine) {
    let db = TestDb::create(engine).await;
    let program = TlsServe::start(engine, &db).await;
    for algorithm in Algorithm::ALL {
        let client = program.client(algorithm).await;
        run_authlib(&program.provider_ref(), &client, algorithm, PASSWORD).await;
    }
}

#[apply(both_engines)]
async fn openidconnect_signs_in_with_every_algorithm(engine: Engine) {
    openidconnect_with_each_algorithm(&TestApp::start(engine).await, &Fetch::loopback().unwrap())
        .await;
}

#[apply(both_engines)]
async fn openidconnect_signs_in_over_tls(engine: Engine) {
    let app = over_tls(engine).await;
    let root = reqwest::Certificate::from_pem(app.authority().pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([root])
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    openidconnect_with_each_algorithm(&app, &TrustingHttpClient(client.build().unwrap())).await;
}

/// A client's HTTP stack that trusts the test's authority only.
struct TrustingHttpClient(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for TrustingHttpClient {
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.0.execute(request.try_into()?).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut response = HttpResponse::new(answer.bytes().await?.to_vec());
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            Ok(response)
        })
    }
}

/// `idp serve` over TLS.
struct TlsServe {
    served: ServeSetup,
    authority: CertificateAuthority,
    issuer: String,
    serve: ChildProcess,
}

impl TlsServe {
    async fn start(engine: Engine, db: &TestDb) -> Self {
        let (served, authority) =
            (ServeSetup::prepare(engine, db).await, CertificateAuthority::new());
        let add = ["user", "add", EMAIL, "--name", "Mere", "--password-stdin"];
        run(served.change_command(&add), PASSWORD).await;
        let files = authority.write(&authority.issue(&["localhost"]));
        let issuer = served.issuer().replace("http://", "https://");
        let mut command = served.command(&["serve"]);
        command.env("IDP__TLS__CERT", &files.cert).env("IDP__TLS__KEY", &files.key);
        command.env("IDP__ISSUER", &issuer).env("SSL_CERT_FILE", authority.file());
        let serve = ChildProcess::spawn(command);
        let browser = HttpBrowser::over_tls(&issuer, &authority.pem());
        serve.wait_until_answering(&browser).await;
        Self { served, authority, issuer, serve }
    }

    /// Registers a client whose ID tokens are signed with the algorithm.
    async fn client(&self, algorithm: Algorithm) -> Client {
        let id = format!("python-{}", algorithm.as_str().to_lowercase());
        let redirect_uri = format!("https://{id}.example/callback");
        let mut command = self.served.change_command(&["client", "add", &id, "--profile", "web"]);
        command.args([
            "--first-party",
            "--json",
            "--id-token-alg",
            &algorithm.as_str().to_lowercase(),
        ]);
        command.args(["--redirect-uri", &redirect_uri]);
        command.args(["--post-logout-redirect-uri", &post_logout_redirect_uri(&id)]);
        let added: Value = serde_json::from_str(&run(command, "").await).unwrap();
        let client = Client {
            id,
            secret: added["client_secret"].as_str().map(str::to_owned),
            redirect_uri,
            auth_method: flows::client::AuthMethod::Basic,
        };
        self.wait_until_known(&client).await;
        client
    }

    /// Waits until the running replica has read the client, which takes up to two seconds.
    async fn wait_until_known(&self, client: &Client) {
        let browser = self.provider_ref().browser;
        let known = async || {
            let page = browser.get(PendingRequest::new(client).url(&self.issuer, &[])).await;
            if page.status == 200 { Ok(()) } else { Err(self.serve.output()) }
        };
        wait::until(&format!("serve has read {}", client.id), known).await;
    }

    fn provider_ref(&self) -> ProviderRef<'_> {
        ProviderRef {
            issuer: &self.issuer,
            authority: Some(self.authority.file()),
            mail: &self.served.mail,
            browser: HttpBrowser::over_tls(&self.issuer, &self.authority.pem()),
        }
    }
}

/// A provider, as a client and a person see it.
struct ProviderRef<'p> {
    issuer: &'p str,
    /// The authority that a client must trust, if the provider uses TLS.
    authority: Option<PathBuf>,
    mail: &'p MailServer,
    browser: HttpBrowser,
}

/// The address to which a client wants the browser back after a logout.
fn post_logout_redirect_uri(id: &str) -> String {
    format!("https://{id}.example/signed-out")
}

/// The Python client: a process that exchanges lines with the test.
struct AuthlibClient {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    stdin: ChildStdin,
}

impl AuthlibClient {
    fn start(at: &ProviderRef<'_>, client: &Client) -> Self {
        let secret = client.secret.as_deref().unwrap();
        let mut process = Command::new(python())
            // It warns of the name EdDSA, which RFC 9864 deprecates and which is the one that we have.
            .env("PYTHONWARNINGS", "ignore")
            .arg(vestibule_tests::workspace_root().join("tests/clients/relying_party.py"))
            .args([
                at.issuer,
                &client.id,
                secret,
                &client.redirect_uri,
                &post_logout_redirect_uri(&client.id),
            ])
            .args(at.authority.as_ref())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let stdin = process.stdin.take().unwrap();
        Self { process, lines, stdin }
    }

    async fn line(&mut self) -> String {
        self.lines.next_line().await.unwrap().expect("a line")
    }

    async fn send_url(&mut self, url: &Url) {
        self.stdin.write_all(format!("{url}\n").as_bytes()).await.unwrap();
    }
}

/// openid-client (npm) with the command of its README: registered by profile alone, it sends the secret in the body.
#[apply(both_engines)]
async fn openid_client_signs_in_as_documented(engine: Engine) {
    let app = over_tls(engine).await;
    let patient = app.patient_with_email(EMAIL, "Mere").await;
    let client = app.client("node-web").await;
    let folder = vestibule_tests::workspace_root();
    let library = folder.join("target/tools/axe/node_modules/openid-client/build/index.js");
    assert!(library.exists(), "scripts/prepare installs the client library");
    let mut node = Command::new("node")
        .arg(folder.join("tests/clients/relying_party.mjs"))
        .arg(library)
        .args([app.issuer(), &client.id, client.secret.as_deref().unwrap(), &client.redirect_uri])
        .env("NODE_EXTRA_CA_CERTS", app.authority().file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().expect("the authorization URL");
    let (browser, to) = (app.browser(), (url.as_str(), &client));
    let landed = sign_in_at(&browser, &app.mail, to, (EMAIL, &patient.password)).await;
    let came_back = format!("{}\n", landed.url);
    node.stdin.take().unwrap().write_all(came_back.as_bytes()).await.unwrap();
    let told = lines.next_line().await.unwrap().expect("what it verified");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["userinfo"]["email"], EMAIL);
    assert_eq!(told["scope"], "openid profile email");
    assert!(node.wait().await.unwrap().success());
}

async fn authlib_with_each_algorithm(app: &TestApp, authority: Option<PathBuf>) {
    let patient = app.patient_with_email(EMAIL, "Mere").await;
    for algorithm in Algorithm::ALL {
        let id = format!("python-{}", algorithm.as_str().to_lowercase());
        let client = app.client_with_algorithm(&id, algorithm).await;
        let at = ProviderRef {
            issuer: app.issuer(),
            authority: authority.clone(),
            mail: &app.mail,
            browser: app.browser(),
        };
        run_authlib(&at, &client, algorithm, &patient.password).await;
    }
}

/// From the client's authorization URL to its page after the logout.
async fn run_authlib(at: &ProviderRef<'_>, client: &Client, algorithm: Algorithm, password: &str) {
    let mut python = AuthlibClient::start(at, client);
    let url = python.line().await;
    let browser = &at.browser;
    let landed = sign_in_at(browser, at.mail, (&url, client), (EMAIL, password)).await;
    python.send_url(&landed.url).await;
    let verified: Value = serde_json::from_str(&python.line().await).unwrap();
    assert_eq!(verified["alg"], algorithm.as_str());
    assert_eq!(verified["claims"]["acr"], "urn:vestibule:two-step");
    assert_eq!(verified["userinfo"]["email"], EMAIL);
    // Signed out by the client, with the metadata's address and the ID token: no question, and a redirect back.
    let back = browser.get(&python.line().await).await.location().expect("led back");
    assert!(back.as_str().starts_with(&post_logout_redirect_uri(&client.id)), "{back}");
    python.send_url(&back).await;
    assert_eq!(python.line().await, "signed out");
    assert!(python.process.wait().await.unwrap().success());
}

/// Signs a person in at the address to which a client has sent the browser, up to the redirect to the client.
async fn sign_in_at(
    browser: &HttpBrowser,
    mail: &MailServer,
    (url, client): (&str, &Client),
    (email, password): (&str, &str),
) -> AuthorizationResponse {
    let page = browser.follow(browser.get(url).await).await;
    let mails = mail.codes_to(email).len();
    let form = page.form().with("email", email).with("password", password);
    let page = browser.follow(browser.post(&form, "continue").await).await;
    let code = mail.wait_for_code(email, mails + 1).await;
    browser.submit_code(&page, &code).await.authorization_response(PendingRequest::new(client))
}

/// Runs the Rust library with each algorithm.
async fn openidconnect_with_each_algorithm<H>(app: &TestApp, http: &H)
where
    H: for<'c> AsyncHttpClient<'c>,
{
    let patient = app.patient_with_email(EMAIL, "Mere").await;
    for algorithm in Algorithm::ALL {
        let id = format!("rust-{}", algorithm.as_str().to_lowercase());
        let registered = app.client_with_algorithm(&id, algorithm).await;
        run_openidconnect(app, http, &registered, (algorithm, &patient.password)).await;
    }
}

async fn run_openidconnect<H>(
    app: &TestApp,
    http: &H,
    registered: &Client,
    (algorithm, password): (Algorithm, &str),
) where
    H: for<'c> AsyncHttpClient<'c>,
{
    let issuer = IssuerUrl::new(app.issuer().to_owned()).unwrap();
    let metadata = ProviderMetadataWithLogout::discover_async(issuer, http).await.unwrap();
    let wanted: CoreJwsSigningAlgorithm =
        serde_json::from_value(algorithm.as_str().into()).unwrap();
    assert!(metadata.id_token_signing_alg_values_supported().contains(&wanted));
    let secret = ClientSecret::new(registered.secret.clone().unwrap());
    let id = ClientId::new(registered.id.clone());
    let client = CoreClient::from_provider_metadata(metadata, id, Some(secret))
        .set_redirect_uri(RedirectUrl::new(registered.redirect_uri.clone()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = CoreAuthenticationFlow::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let to = (url.as_str(), registered);
    let landed = sign_in_at(&app.browser(), &app.mail, to, (EMAIL, password)).await;
    assert_eq!(landed.param("state").as_deref(), Some(state.secret().as_str()));
    let tokens = client.exchange_code(AuthorizationCode::new(landed.code())).unwrap();
    let tokens = tokens.set_pkce_verifier(verifier).request_async(http).await.unwrap();
    let id_token = tokens.id_token().expect("an ID token");
    assert_eq!(id_token.signing_alg().unwrap(), &wanted);
    let verifier = client.id_token_verifier().set_allowed_algs([wanted]);
    let claims = id_token.claims(&verifier, &nonce).unwrap();
    assert_eq!(claims.auth_context_ref().map(|acr| acr.as_str()), Some("urn:vestibule:two-step"));
    assert!(id_token.claims(&verifier, &Nonce::new_random()).is_err(), "another's nonce");
    let access = tokens.access_token().to_owned();
    let info = client.user_info(access, Some(claims.subject().clone())).unwrap();
    let info: CoreUserInfoClaims = info.request_async(http).await.unwrap();
    assert_eq!(info.email().map(|email| email.as_str()), Some(EMAIL));
}
