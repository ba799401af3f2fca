use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

const FORM: &str = "<!doctype html><title>t</title><meta name=viewport content='width=device-width'>\
    <h1>Kia ora</h1><form action=/next><input name=a value=old><button>Go on</button></form>\
    <p id=s>off</p><script>document.getElementById('s').textContent = 'on'</script>";

const FOCUS: &str = "<!doctype html><title>t</title><link rel=stylesheet href=/style><p tabindex=-1 autofocus>Try again</p>\
    <form action=/focus><input name=a><button>Go on</button></form>";

/// Answers each request with the form, and `/next` with the submitted values.
async fn site() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (kind, body) = match path {
                "/style" => ("css", "body { color: black }"),
                path if path.starts_with("/focus") => ("html", FOCUS),
                path if path.starts_with("/next") => ("html", path),
                _ => ("html", FORM),
            };
            let policy = if path == "/strict" { "script-src 'none'" } else { "img-src *" };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/{kind}\r\nContent-Length: {}\r\n\
                 Connection: close\r\nSet-Cookie: seen=1; HttpOnly\r\n\
                 Content-Security-Policy: {policy}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn form_is_filled_and_submitted() {
    let (site, browser) = (site().await, Browser::start().await);
    let tab = browser.tab().await;
    tab.open(&site).await;
    assert!(tab.text().await.starts_with("Kia ora"));
    assert_eq!(tab.text_of("#s").await, "on");
    assert_eq!(tab.value("input").await, "old");
    tab.fill("input", "12 34").await;
    tab.submit("button").await;
    assert_eq!(tab.text().await, "/next?a=12+34");
    assert_eq!(tab.wait_for_url(|url| url.path() == "/next").await.query(), Some("a=12+34"));
    assert!(!tab.has("button").await);
    tab.open(&site).await;
    tab.fill("input", "").await;
    tab.press("input", "Enter").await;
    tab.wait_for_url(|url| url.query() == Some("a=")).await;
    assert_eq!(tab.problems().await, Vec::<String>::new());
}

#[tokio::test]
async fn fill_waits_for_autofocus() {
    let (site, browser) = (site().await, Browser::start().await);
    let tab = browser.tab().await;
    tab.open(format!("{site}/focus")).await;
    for _ in 0..10 {
        tab.fill("input", "1").await;
        tab.submit("button").await;
    }
    assert_eq!(tab.problems().await, Vec::<String>::new());
}

#[tokio::test]
async fn cookies_are_kept_per_browser() {
    let (site, one, two) = (site().await, Browser::start().await, Browser::start().await);
    one.tab().await.open(&site).await;
    assert_eq!(one.cookies().await[0].name, "seen");
    assert!(two.cookies().await.is_empty());
    let second_tab = one.tab().await;
    assert_eq!(second_tab.url().await.as_str(), "about:blank");
}

#[tokio::test]
async fn viewport_and_script_settings_apply() {
    let (site, browser) = (site().await, Browser::start().await);
    let tab = browser.tab().await;
    tab.set_viewport(390, 844, true).await;
    tab.set_javascript(false).await;
    tab.open(&site).await;
    assert_eq!(tab.text_of("#s").await, "off");
    assert_eq!(tab.evaluate::<u32>("innerWidth").await, 390);
    tab.fill("input", "1").await;
    tab.submit("button").await;
    assert_eq!(tab.text().await, "/next?a=1");
    tab.set_javascript(true).await;
    tab.open(format!("{site}/strict")).await;
    let problems = tab.problems().await;
    assert!(problems.iter().any(|p| p.contains("script-src")), "{problems:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a/page.png");
    tab.screenshot(&file).await;
    assert_eq!(std::fs::read(file).unwrap()[1..4], *b"PNG");
    assert_eq!(tab.evaluate::<u32>("innerWidth").await, 390, "a screenshot changes nothing");
}

#[tokio::test]
async fn unreachable_url_is_still_reported() {
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    tab.open("http://127.0.0.1:1/callback?code=x").await;
    assert_eq!(tab.url().await.as_str(), "http://127.0.0.1:1/callback?code=x");
}
