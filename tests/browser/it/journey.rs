//! The whole journey in a real Chromium, from the demo portal and back, as `idp dev` offers it.
//!
//! Screenshots of every page are kept in `target/screenshots`.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use vestibule_browser_tests::{
    accessibility::violations,
    browser::{Browser, Tab},
};
use vestibule_tests::{
    proc::{ChildProcess, idp_command},
    wait,
};

/// `idp dev` on free ports.
struct Dev {
    ready: Value,
    _process: ChildProcess,
    _folder: TempDir,
}

impl Dev {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = idp_command();
        command.args(["dev", "--json", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        command
            .args(["--portal-listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"));
        let mut process = ChildProcess::spawn(command);
        let ready = process.json().await;
        Self { ready, _process: process, _folder: folder }
    }

    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    /// Address and password of a demo person.
    fn person(&self, nth: usize) -> (&str, &str) {
        let person = &self.ready["people"][nth];
        (person["email"].as_str().unwrap(), person["password"].as_str().unwrap())
    }

    /// The newest code, once there are `count` mails.
    async fn code(&self, count: usize) -> String {
        let list = format!("{}.json", self.text("mailbox"));
        let newest = async || {
            let mails: Vec<Value> = reqwest::get(&list).await.unwrap().json().await.unwrap();
            let codes: Vec<_> = mails.iter().filter_map(|mail| mail["code"].as_str()).collect();
            if codes.len() >= count { Ok(codes[0].to_owned()) } else { Err(mails) }
        };
        wait::until("a code", newest).await
    }
}

/// The file of a screenshot.
fn screenshot_path(device: &str, page: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| vestibule_tests::workspace_root().join("target"), PathBuf::from);
    target.join("screenshots").join(device).join(format!("{page}.png"))
}

struct Walk<'a> {
    dev: &'a Dev,
    tab: &'a Tab,
    device: &'a str,
    width: u32,
    codes: usize,
}

impl Walk<'_> {
    async fn check_and_screenshot(&self, page: &str) {
        let file = screenshot_path(self.device, page);
        self.tab.screenshot(&file).await;
        assert!(file.exists());
        let width = self.tab.evaluate::<u32>("window.innerWidth").await;
        assert_eq!(width, self.width, "{page} is not shown at the width of the device");
        let fits = "document.documentElement.scrollWidth <= window.innerWidth";
        assert!(self.tab.evaluate::<bool>(fits).await, "{page} is wider than the screen");
        // The pages of `dev` are checked too, once. Those of the provider itself are checked in `screens`.
        if self.device == "phone" {
            assert_eq!(violations(self.tab, &[]).await, Vec::<String>::new(), "{page}");
        }
        assert_eq!(self.tab.problems().await, Vec::<String>::new(), "{page}");
    }

    async fn open_sign_in_page(&self) {
        self.tab.open(self.dev.text("portal")).await;
        self.tab.submit("a.button").await;
        assert!(self.tab.url().await.as_str().starts_with(self.dev.text("issuer")));
    }

    async fn submit_password(&mut self, person: usize) -> String {
        let (email, password) = self.dev.person(person);
        self.tab.fill("#email", email).await;
        self.tab.fill("#password", password).await;
        self.tab.submit("button[value=continue]").await;
        self.codes += 1;
        self.dev.code(self.codes).await
    }

    async fn wait_for_portal(&self) {
        self.tab.wait_for_url(|url| url.as_str() == format!("{}/", self.dev.text("portal"))).await;
    }
}

async fn walk(device: &str, (width, height, phone): (u32, u32, bool), scripts: bool) {
    let dev = Dev::start().await;
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    tab.set_viewport(width, height, phone).await;
    tab.set_javascript(scripts).await;
    let mut walk = Walk { dev: &dev, tab: &tab, device, width, codes: 0 };
    tab.open(dev.text("portal")).await;
    walk.check_and_screenshot("01-portal").await;
    walk.open_sign_in_page().await;
    walk.check_and_screenshot("02-password").await;
    // A wrong password: the form keeps the address, not the password.
    let (email, _) = dev.person(0);
    tab.fill("#email", email).await;
    tab.fill("#password", "not the password").await;
    tab.submit("button[value=continue]").await;
    assert_eq!(
        (tab.value("#email").await.as_str(), tab.value("#password").await.as_str()),
        (email, "")
    );
    assert!(tab.text_of("[role=alert]").await.contains("is not right"));
    walk.check_and_screenshot("03-password-wrong").await;
    let code = walk.submit_password(0).await;
    walk.check_and_screenshot("04-code").await;
    // A wrong code, then the right one as pasted from a mail, with a space.
    let wrong = if code == "123456" { "654321" } else { "123456" };
    tab.fill("#code", wrong).await;
    tab.submit("button[value=continue]").await;
    assert_eq!(tab.value("#code").await, wrong);
    assert!(tab.text_of("[role=alert]").await.contains("4 tries left"));
    walk.check_and_screenshot("05-code-wrong").await;
    tab.fill("#code", &format!("{} {}", &code[..3], &code[3..])).await;
    tab.press("#code", "Enter").await;
    walk.wait_for_portal().await;
    let text = tab.text().await;
    assert!(
        text.contains("Kia ora, Mere Kahui") && text.contains("urn:vestibule:two-step"),
        "{text}"
    );
    walk.check_and_screenshot("06-signed-in").await;
    // The second sign-in shows no page of the provider.
    tab.open(format!("{}/sign-in", dev.text("portal"))).await;
    walk.wait_for_portal().await;
    tab.submit("button[type=submit]").await;
    assert!(tab.text().await.contains("You are signed out"));
    walk.check_and_screenshot("07-signed-out").await;
    // After signing out, the page asks for the password again.
    walk.open_sign_in_page().await;
    assert!(tab.has("#password").await);
    cancel(&walk).await;
    visit_failure_pages(&walk).await;
}

async fn cancel(walk: &Walk<'_>) {
    walk.tab.click("button[value=cancel]").await;
    walk.tab.wait_for_url(|url| url.as_str().starts_with(walk.dev.text("portal"))).await;
    assert!(walk.tab.text().await.contains("You did not sign in"), "{}", walk.tab.text().await);
    walk.check_and_screenshot("08-cancelled").await;
}

async fn visit_failure_pages(walk: &Walk<'_>) {
    let issuer = walk.dev.text("issuer");
    walk.tab.open(format!("{issuer}/oauth2/authorize?client_id=nobody")).await;
    assert!(walk.tab.text().await.contains("This request cannot be completed"));
    walk.check_and_screenshot("09-bad-request").await;
    walk.tab.open(format!("{issuer}/login/code?attempt=x")).await;
    assert!(walk.tab.text().await.contains("Please start again"));
    walk.check_and_screenshot("10-start-again").await;
    walk.tab.open(format!("{issuer}/oauth2/logout")).await;
    assert!(walk.tab.text().await.contains("You are signed out"));
    walk.tab.open(walk.dev.text("mailbox")).await;
    walk.check_and_screenshot("11-mailbox").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn desktop_sign_in_returns_to_portal() {
    walk("desktop", (1280, 900, false), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn phone_sign_in_returns_to_portal() {
    walk("phone", (390, 844, true), true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn narrow_phone_works_without_scripts() {
    walk("narrow-no-scripts", (320, 640, true), false).await;
}

/// The pages that the plain walk does not reach: a forced reset, another tab, no tries left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reset_and_second_tab_pages_work() {
    let dev = Dev::start().await;
    let browser = Browser::start().await;
    let (one, two) = (browser.tab().await, browser.tab().await);
    for tab in [&one, &two] {
        tab.set_viewport(390, 844, true).await;
    }
    let mut first = Walk { dev: &dev, tab: &one, device: "rare", width: 390, codes: 0 };
    let second = Walk { dev: &dev, tab: &two, device: "rare", width: 390, codes: 0 };
    first.open_sign_in_page().await;
    let code = first.submit_password(0).await;
    second.open_sign_in_page().await;
    two.fill("#email", dev.person(0).0).await;
    two.fill("#password", dev.person(0).1).await;
    two.submit("button[value=continue]").await;
    // One mail for both tabs; the code signs the first in, and the second continues with that sign-in.
    one.fill("#code", &code).await;
    one.submit("button[value=continue]").await;
    first.wait_for_portal().await;
    two.fill("#code", &code).await;
    two.submit("button[value=continue]").await;
    second.check_and_screenshot("signed-in-by-another-tab").await;
    two.submit("button[value=continue]").await;
    second.wait_for_portal().await;
    // A forced reset: the next sign-in requires a new password.
    let mut reset = idp_command();
    reset.args([
        "user",
        "reset",
        dev.person(0).0,
        "--reason",
        "test",
        "--data-dir",
        dev.text("data_dir"),
    ]);
    vestibule_tests::proc::run(reset, "").await;
    one.open(format!("{}/sign-in", dev.text("portal"))).await;
    let code = first.submit_password(0).await;
    one.fill("#code", &code).await;
    one.submit("button[value=continue]").await;
    first.check_and_screenshot("new-password").await;
    one.fill("#new_password", "too short").await;
    one.submit("button[value=continue]").await;
    assert!(one.text_of("p.error").await.contains("at least 15 characters"));
    first.check_and_screenshot("new-password-refused").await;
    one.fill("#new_password", "a walk along the river at noon").await;
    one.submit("button[value=continue]").await;
    first.wait_for_portal().await;
    spend_code_tries(&dev).await;
}

async fn spend_code_tries(dev: &Dev) {
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    tab.set_viewport(390, 844, true).await;
    let mut walk = Walk { dev, tab: &tab, device: "rare", width: 390, codes: 2 };
    walk.open_sign_in_page().await;
    let code = walk.submit_password(1).await;
    for nth in 0..5_u32 {
        let wrong = (code.parse::<u32>().unwrap() + 1 + nth) % 1_000_000;
        tab.fill("#code", &format!("{wrong:06}")).await;
        tab.submit("button[value=continue]").await;
    }
    assert!(!tab.has("#code").await, "no field: {}", tab.text().await);
    walk.check_and_screenshot("code-spent").await;
}
