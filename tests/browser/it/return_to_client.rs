//! The way back to the client in a real Chromium: a client's callback may redirect on to other origins, and into an app, after
//! every kind of post (decision 31), and Back never shows the browser's own error page.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use vestibule_browser_tests::browser::{Browser, Tab};
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{Client, PendingRequest},
    db::Engine,
    wait,
};

/// A site that answers every request alike, and remembers what was requested.
struct Site {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// A site that redirects to `to`, or that shows a page.
    async fn start(to: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut head = vec![0; 8192];
                let read = connection.read(&mut head).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&head[..read]);
                let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                seen.lock().expect("no holder panicked").push(path);
                let answer = match &to {
                    Some(to) => format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
                    None => "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 26\r\nConnection: close\r\n\r\n<title>Home</title>Arrived".to_owned(),
                };
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, requests }
    }

    /// The callbacks that were requested.
    fn callbacks(&self) -> Vec<String> {
        let requests = self.requests.lock().expect("no holder panicked");
        requests.iter().filter(|path| path.starts_with("/callback")).cloned().collect()
    }
}

/// A client whose callback leads on over two more origins.
struct Chain {
    client: Client,
    callback: Site,
    home: Site,
    _between: Site,
}

impl Chain {
    async fn start(app: &TestApp, id: &str, first_party: bool) -> Self {
        let home = Site::start(None).await;
        // Another name of the same machine is another site.
        let between = Site::start(Some(home.address.replace("127.0.0.1", "localhost"))).await;
        let callback = Site::start(Some(between.address.clone())).await;
        let client = add_client(app, id, &callback, first_party).await;
        Self { client, callback, home, _between: between }
    }

    /// Waits until the tab shows the last page.
    async fn wait_for_home(&self, tab: &Tab) {
        let home = self.home.address.replace("127.0.0.1", "localhost");
        tab.wait_for_url(|url| url.as_str().starts_with(&home)).await;
        assert!(tab.text().await.contains("Arrived"));
        assert_eq!(tab.problems().await, Vec::<String>::new());
    }
}

async fn add_client(app: &TestApp, id: &str, callback: &Site, first_party: bool) -> Client {
    let redirect_uri = format!("{}/callback", callback.address);
    app.client_with(id, |new| {
        new.metadata.redirect_uris = vec![redirect_uri];
        new.operator.first_party = first_party;
    })
    .await
}

async fn open(tab: &Tab, app: &TestApp, client: &Client) {
    tab.open(PendingRequest::new(client).url(app.issuer(), &[])).await;
}

async fn submit_password(tab: &Tab, patient: &Patient) {
    tab.fill("#email", &patient.email).await;
    tab.fill("#password", &patient.password).await;
    tab.submit("button[value=continue]").await;
}

/// Goes back several times; no entry of the history is an error page of the browser.
async fn go_back(tab: &Tab, times: usize) {
    for _ in 0..times {
        tab.go_back().await;
        let (shown, text) = (tab.url().await, tab.text().await);
        assert!(!text.contains("ERR_") && !text.trim().is_empty(), "{shown}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callback_leads_over_two_origins() {
    let app = TestApp::start(Engine::Sqlite).await;
    let patient = app.patient("Mere").await;
    let chain = Chain::start(&app, "portal", true).await;
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    // Cancelled.
    open(&tab, &app, &chain.client).await;
    tab.click("button[value=cancel]").await;
    chain.wait_for_home(&tab).await;
    // After a wrong password and a wrong code, by the code.
    open(&tab, &app, &chain.client).await;
    submit_password(&tab, &Patient { password: "not it".to_owned(), ..patient.clone() }).await;
    submit_password(&tab, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    tab.fill("#code", if code == "123456" { "654321" } else { "123456" }).await;
    tab.submit("button[value=continue]").await;
    tab.fill("#code", &code).await;
    tab.click("button[value=continue]").await;
    chain.wait_for_home(&tab).await;
    let callbacks = chain.callback.callbacks();
    assert_eq!(callbacks.len(), 2, "{callbacks:?}");
    assert!(callbacks[0].contains("error=access_denied") && callbacks[1].contains("code="));
    go_back(&tab, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consent_and_denial_lead_on() {
    let app = TestApp::start(Engine::Sqlite).await;
    let patient = app.patient("Hemi").await;
    let chain = Chain::start(&app, "lab", false).await;
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    open(&tab, &app, &chain.client).await;
    submit_password(&tab, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    tab.fill("#code", &code).await;
    tab.submit("button[value=continue]").await;
    tab.click("button[value=deny]").await;
    chain.wait_for_home(&tab).await;
    open(&tab, &app, &chain.client).await;
    tab.click("button[value=allow]").await;
    chain.wait_for_home(&tab).await;
    // Confirmation: the client asks which account.
    tab.open(PendingRequest::new(&chain.client).url(app.issuer(), &[("prompt", "select_account")]))
        .await;
    tab.click("button[value=continue]").await;
    chain.wait_for_home(&tab).await;
    let callbacks = chain.callback.callbacks();
    let answers: Vec<bool> = callbacks.iter().map(|path| path.contains("code=")).collect();
    assert_eq!(answers, [false, true, true], "{callbacks:?}");
    go_back(&tab, 2).await;
}

/// A callback that leads into an app: no browser here has one, so that the last page stays, and no policy stopped it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callback_leads_into_app() {
    let app = TestApp::start(Engine::Sqlite).await;
    let patient = app.patient("Ana").await;
    let callback = Site::start(Some("org.example.app:/signed-in".to_owned())).await;
    let client = add_client(&app, "bridge", &callback, true).await;
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    open(&tab, &app, &client).await;
    submit_password(&tab, &patient).await;
    let code = app.mail.wait_for_code(&patient.email, 1).await;
    tab.fill("#code", &code).await;
    tab.click("button[value=continue]").await;
    let reached = async || match callback.callbacks().len() {
        0 => Err("no callback yet"),
        _ => Ok(()),
    };
    wait::until("the callback", reached).await;
    // The page that led there has its link, three seconds later.
    let visible =
        "getComputedStyle(document.querySelector('a.button') || document.body).visibility";
    let shown = async || match tab.evaluate::<String>(visible).await.as_str() {
        "visible" => Ok(()),
        other => Err(other.to_owned()),
    };
    wait::until("the link", shown).await;
    assert!(tab.text().await.contains("Back to The bridge"), "{}", tab.text().await);
    let problems = tab.problems().await;
    assert!(!problems.iter().any(|problem| problem.contains("form-action")), "{problems:?}");
}
