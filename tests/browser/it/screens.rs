//! Every page, in a real Chromium, against the rules of accessibility: axe-core in both languages, at both widths, in light
//! and dark, with larger text and in forced colours. Screenshots are kept in `target/screenshots`, one folder for each
//! language.
//!
//! The list of pages is read from the sources. The database engine does not matter to the pages, so that one is enough.

mod page_list;
mod refusals;
mod second_steps;

use std::{path::PathBuf, time::Duration};

use keys::{HasherConfig, HashingCaller};
use url::Url;
use vestibule_browser_tests::{
    accessibility::{emulate_media, layout_problems, set_text_size, violations},
    browser::{Browser, Tab},
};
use vestibule_tests::{
    app::{Options, Patient, TestApp},
    client::{Client, PendingRequest},
    db::Engine,
};

use crate::keyboard::{CALLBACK, register_client};

const DARK: [(&str, &str); 1] = [("prefers-color-scheme", "dark")];
const FORCED_COLORS: [(&str, &str); 1] = [("forced-colors", "active")];

/// Pages without a form.
const MESSAGE_PAGES: [&str; 5] = ["failure-", "still", "signed-out", "return", "sheet"];

/// Width, height, and whether it is a phone.
const SCREENS: [(u32, u32, bool); 2] = [(1280, 900, false), (390, 844, true)];

/// A person's path through the pages; each page is checked.
struct Walk<'a> {
    app: &'a TestApp,
    tab: &'a Tab,
    language: &'a str,
    seen: Vec<String>,
}

impl Walk<'_> {
    /// Checks the page in every way, and keeps screenshots of it.
    async fn check_page(&mut self, page: &str) {
        let mut wrong = Vec::new();
        for (width, height, phone) in SCREENS {
            self.tab.set_viewport(width, height, phone).await;
            note(&mut wrong, &format!("{width}"), violations(self.tab, &[]).await);
            note(&mut wrong, &format!("{width}"), layout_problems(self.tab).await);
            if phone {
                self.take_screenshot(page).await;
            } else if self.language == "en" {
                self.take_screenshot(&format!("{page}-wide")).await;
            }
            note(&mut wrong, &format!("{width}"), self.check_colours(page, phone).await);
            set_text_size(self.tab, 200).await;
            note(&mut wrong, &format!("{width}, text at 200 %"), layout_problems(self.tab).await);
            if phone && self.language == "en" {
                self.take_large_text_screenshot(page, (width, height)).await;
            }
            set_text_size(self.tab, 100).await;
        }
        self.finish_page(page, wrong).await;
    }

    /// The problems in dark and in forced colours.
    async fn check_colours(&self, page: &str, phone: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let pictures = phone && self.language == "en";
        emulate_media(self.tab, &DARK).await;
        if self.language == "en" {
            note(&mut wrong, "dark", violations(self.tab, &["color-contrast"]).await);
        }
        if pictures {
            self.take_screenshot(&format!("{page}-dark")).await;
        }
        emulate_media(self.tab, &FORCED_COLORS).await;
        note(&mut wrong, "forced colours", layout_problems(self.tab).await);
        if pictures {
            self.take_screenshot(&format!("{page}-forced")).await;
        }
        emulate_media(self.tab, &[]).await;
        wrong
    }

    /// Checks a page that differs only in its text from one that was checked fully.
    async fn check_variant(&mut self, page: &str) {
        let mut wrong = Vec::new();
        for (width, height, phone) in SCREENS {
            self.tab.set_viewport(width, height, phone).await;
            note(&mut wrong, &format!("{width}"), violations(self.tab, &[]).await);
            note(&mut wrong, &format!("{width}"), layout_problems(self.tab).await);
            emulate_media(self.tab, &FORCED_COLORS).await;
            note(&mut wrong, &format!("{width}, forced colours"), layout_problems(self.tab).await);
            emulate_media(self.tab, &[]).await;
            set_text_size(self.tab, 200).await;
            note(&mut wrong, &format!("{width}, text at 200 %"), layout_problems(self.tab).await);
            set_text_size(self.tab, 100).await;
        }
        // A failure that is reached in two ways is one page.
        if !self.seen.iter().any(|seen| seen == page) {
            self.take_screenshot(page).await;
        }
        self.finish_page(page, wrong).await;
    }

    async fn finish_page(&mut self, page: &str, mut wrong: Vec<String>) {
        let lang: String = self.tab.evaluate("document.documentElement.lang").await;
        assert_eq!(lang, self.language, "{page}");
        // Message pages have no form, and every other page has one; so no page is taken for another.
        let form: bool = self.tab.evaluate("document.querySelector('main form') !== null").await;
        let says = MESSAGE_PAGES.iter().any(|name| page.starts_with(name));
        assert!(form != says, "{page} is another page: {}", self.tab.text().await);
        wrong.extend(self.tab.problems().await);
        assert!(wrong.is_empty(), "{page} ({}):\n{}", self.language, wrong.join("\n"));
        self.seen.push(page.to_owned());
    }

    async fn take_screenshot(&self, page: &str) {
        self.tab.screenshot(screenshot_path(self.language, page)).await;
    }

    /// Enlarges the viewport to the whole page instead: Chromium draws the part of a screenshot outside it at the usual text
    /// size.
    async fn take_large_text_screenshot(&self, page: &str, (width, height): (u32, u32)) {
        let whole: u32 = self.tab.evaluate("document.documentElement.scrollHeight").await;
        self.tab.set_viewport(width, whole, true).await;
        set_text_size(self.tab, 200).await;
        let file = screenshot_path(self.language, &format!("{page}-200"));
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        let visible = chromiumoxide::page::ScreenshotParams::default();
        self.tab.page().save_screenshot(visible, file).await.expect("a picture");
        self.tab.set_viewport(width, height, true).await;
    }

    async fn start(&self, client: &Client, changes: &[(&str, &str)]) {
        let mut all = vec![("ui_locales", self.language)];
        all.extend(changes);
        self.tab.open(PendingRequest::new(client).url(self.app.issuer(), &all)).await;
    }

    /// Fills in the first step and submits it, whatever the result.
    async fn submit_credentials(&self, email: &str, password: &str) {
        self.tab.fill("#email", email).await;
        self.tab.fill("#password", password).await;
        self.press("continue").await;
    }

    async fn submit_password(&self, patient: &Patient) -> String {
        let mails = self.app.mail.codes_to(&patient.email).len();
        self.submit_credentials(&patient.email, &patient.password).await;
        self.app.mail.wait_for_code(&patient.email, mails + 1).await
    }

    async fn submit_code(&self, code: &str) {
        self.tab.fill("#code", code).await;
        self.press("continue").await;
    }

    async fn press(&self, button: &str) {
        self.tab.submit(&format!("button[value={button}]")).await;
    }

    async fn reload(&self) {
        self.reopen(&self.tab.url().await).await;
    }

    /// Opens a page again: the answer to a post is at an address without its attempt.
    async fn reopen(&self, page: &Url) {
        self.app.wait_for_jobs().await;
        self.tab.open(page).await;
    }

    async fn wait_for_client(&self) {
        self.tab.wait_for_url(|url| url.as_str().starts_with(CALLBACK)).await;
    }
}

fn note(wrong: &mut Vec<String>, how: &str, found: Vec<String>) {
    wrong.extend(found.into_iter().map(|found| format!("{how}: {found}")));
}

/// The file of a screenshot.
fn screenshot_path(language: &str, page: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| vestibule_tests::workspace_root().join("target"), PathBuf::from);
    target.join("screenshots").join(language).join(format!("{page}.png"))
}

/// A guess that is not the code.
fn wrong_code(code: &str, nth: u32) -> String {
    format!("{:06}", (code.parse::<u32>().expect("digits") + 1 + nth) % 1_000_000)
}

async fn visit_password_pages(walk: &mut Walk<'_>, portal: &Client) {
    walk.start(portal, &[]).await;
    walk.check_page("password").await;
    walk.press("continue").await;
    walk.check_page("password-empty").await;
    walk.submit_credentials("mere@patients.example", "not the password").await;
    walk.check_page("password-wrong").await;
    let mut held = Vec::new();
    while held.len() < 4 {
        held.push(walk.app.app().hasher.admit(HashingCaller::Stranger).await.expect("a slot"));
    }
    walk.tab.fill("#password", "not the password").await;
    walk.press("continue").await;
    walk.check_page("password-busy").await;
}

async fn visit_code_pages(walk: &mut Walk<'_>, portal: &Client) {
    let patient = walk.app.patient("Mere").await;
    walk.start(portal, &[]).await;
    let code = walk.submit_password(&patient).await;
    walk.reload().await;
    walk.tab.click("summary").await;
    walk.check_page("code").await;
    walk.submit_code(&wrong_code(&code, 0)).await;
    walk.check_page("code-wrong").await;
    for nth in 1..5 {
        walk.submit_code(&wrong_code(&code, nth)).await;
    }
    walk.check_page("code-spent").await;
    let hemi = walk.app.patient("Hemi").await;
    walk.start(portal, &[]).await;
    let code = walk.submit_password(&hemi).await;
    let page = walk.tab.url().await;
    walk.app.wait_for_jobs().await;
    walk.app.set_setting("sign_in.code_failures", "3").await;
    walk.app.set_setting("sign_in.code_wait", "1m").await;
    for nth in 0..3 {
        walk.submit_code(&wrong_code(&code, nth)).await;
    }
    walk.check_page("paused").await;
    walk.app.set_setting("sign_in.code_failures", "10").await;
    walk.app.clock.advance(Duration::from_mins(20));
    walk.reopen(&page).await;
    assert!(walk.tab.has("button[value=resend]").await, "the pause is over");
    walk.check_page("code-late").await;
    walk.app.clock.advance(Duration::from_mins(20));
    walk.reopen(&page).await;
    walk.check_page("code-expired").await;
}

/// A forced reset, another tab, consent and confirmation.
async fn visit_signed_in_pages(
    walk: &mut Walk<'_>,
    browser: &Browser,
    (portal, lab): (&Client, &Client),
) {
    let patient = walk.app.patient("Aroha").await;
    walk.app.force_reset(&patient).await;
    walk.start(portal, &[]).await;
    let code = walk.submit_password(&patient).await;
    let other = browser.tab().await;
    let second = Walk { tab: &other, seen: Vec::new(), ..*walk };
    second.start(portal, &[]).await;
    second.submit_credentials(&patient.email, &patient.password).await;
    walk.submit_code(&code).await;
    walk.check_page("new-password").await;
    walk.tab.fill("#new_password", "too short").await;
    walk.press("continue").await;
    walk.check_page("new-password-short").await;
    walk.tab.fill("#new_password", "a walk along the river at noon").await;
    walk.press("continue").await;
    walk.wait_for_client().await;
    walk.start(lab, &[]).await;
    walk.check_page("consent").await;
    walk.start(portal, &[("prompt", "select_account")]).await;
    walk.check_page("confirm").await;
}

async fn visit_signed_in_elsewhere(walk: &mut Walk<'_>, browser: &Browser, portal: &Client) {
    walk.start(portal, &[("prompt", "login")]).await;
    let patient = walk.app.patient("Tama").await;
    let code = walk.submit_password(&patient).await;
    let other = browser.tab().await;
    let second = Walk { tab: &other, seen: Vec::new(), ..*walk };
    second.start(portal, &[("prompt", "login")]).await;
    second.submit_credentials(&patient.email, &patient.password).await;
    second.submit_code(&code).await;
    second.wait_for_client().await;
    walk.reload().await;
    walk.check_page("signed-in-elsewhere").await;
}

/// The page that leads back to an app stays, with its link, because this browser has no such app. Chromium may ask what should
/// open the address, and gives no clicks to pages then: a browser of its own.
async fn visit_return_page(walk: &mut Walk<'_>) {
    let change = |new: &mut flows::client::Client| {
        *new = flows::client::Client::new("phone", flows::client::Profile::Native);
        "The phone".clone_into(&mut new.metadata.client_name);
        new.metadata.redirect_uris = vec!["nz.example.portal:/callback".to_owned()];
        new.operator.first_party = true;
    };
    let phone = walk.app.client_with("phone", change).await;
    let browser = Browser::start().await;
    let tab = browser.tab().await;
    let mut other = Walk { tab: &tab, seen: Vec::new(), ..*walk };
    other.start(&phone, &[]).await;
    other.press("cancel").await;
    // Chromium notes that it cannot open the address; the page is what is checked.
    let _noted = tab.problems().await;
    other.check_page("return").await;
    walk.seen.append(&mut other.seen);
}

async fn visit_end_pages(walk: &mut Walk<'_>, portal: &Client) {
    let issuer = walk.app.issuer().to_owned();
    walk.tab.open(format!("{issuer}/oauth2/logout?state=a")).await;
    walk.check_page("logout").await;
    walk.press("cancel").await;
    walk.check_page("still").await;
    walk.tab.open(format!("{issuer}/oauth2/logout")).await;
    walk.press("continue").await;
    walk.check_page("signed-out").await;
    let elsewhere = "post_logout_redirect_uri=https://portal.example/elsewhere";
    walk.tab.open(format!("{issuer}/oauth2/logout?{elsewhere}")).await;
    walk.check_page("signed-out-without-hint").await;
    let person = walk.app.patient("Nikau").await;
    let landed = walk.app.browser().sign_in(walk.app, portal, &person).await;
    let tokens = portal.redeem_tokens(walk.app, &landed).await;
    let hint = tokens["id_token"].as_str().expect("a token");
    walk.tab.open(format!("{issuer}/oauth2/logout?{elsewhere}&id_token_hint={hint}")).await;
    walk.check_page("signed-out-not-registered").await;
    walk.tab.open(format!("{issuer}/oauth2/authorize?client_id=nobody")).await;
    walk.check_page("failure-request").await;
    walk.tab.open(format!("{issuer}/nothing")).await;
    walk.check_page("failure-not-found").await;
    walk.tab.open(format!("{issuer}/login/code?attempt=x")).await;
    walk.check_page("failure-start").await;
}

/// What one walk needs: a provider, two of its clients, and a browser.
struct Ground {
    app: TestApp,
    portal: Client,
    lab: Client,
    browser: Browser,
    tab: Tab,
}

impl Ground {
    async fn prepare() -> Self {
        let hashing = HasherConfig { threads: 2, queue: 20, wait: Duration::from_millis(500) };
        let options = Options { hashing, ..Options::default() };
        let app = TestApp::start_with(Engine::Sqlite, options).await;
        let portal = register_client(&app, "portal", true).await;
        let lab = register_client(&app, "lab", false).await;
        app.set_setting("sign_in.sends_per_day", "100").await;
        app.set_setting("sign_in.sends_per_hour", "100").await;
        let browser = Browser::start().await;
        let tab = browser.tab().await;
        Self { app, portal, lab, browser, tab }
    }

    fn walk<'a>(&'a self, language: &'a str) -> Walk<'a> {
        Walk { app: &self.app, tab: &self.tab, language, seen: Vec::new() }
    }
}

async fn walk_first_steps(language: &str) -> Vec<String> {
    let ground = Ground::prepare().await;
    let mut walk = ground.walk(language);
    visit_password_pages(&mut walk, &ground.portal).await;
    visit_code_pages(&mut walk, &ground.portal).await;
    walk.seen
}

async fn walk_later_pages(language: &str) -> Vec<String> {
    let ground = Ground::prepare().await;
    let mut walk = ground.walk(language);
    let (portal, lab) = (&ground.portal, &ground.lab);
    visit_signed_in_pages(&mut walk, &ground.browser, (portal, lab)).await;
    visit_signed_in_elsewhere(&mut walk, &ground.browser, portal).await;
    visit_return_page(&mut walk).await;
    visit_end_pages(&mut walk, portal).await;
    walk.seen
}

async fn walk_refusals(language: &str) -> Vec<String> {
    let ground = Ground::prepare().await;
    let mut walk = ground.walk(language);
    refusals::visit_refusal_pages(&mut walk, &ground.portal).await;
    walk.seen
}

/// The failure pages, and those of a database that is unavailable.
async fn walk_failures(language: &str) -> Vec<String> {
    let ground = Ground::prepare().await;
    let mut walk = ground.walk(language);
    refusals::visit_failure_pages(&mut walk, &ground.portal).await;
    walk.seen
}

async fn walk_second_steps(language: &str) -> Vec<String> {
    let ground = Ground::prepare().await;
    let mut walk = ground.walk(language);
    second_steps::visit_second_steps(&mut walk, &ground.portal).await;
    second_steps::visit_passkeys(&mut walk, &ground.portal).await;
    walk.seen
}

/// Five walks at a time, each with a provider and a browser of its own: a walk mostly waits for its page.
async fn walk(language: &str) {
    let walks = tokio::join!(
        Box::pin(walk_first_steps(language)),
        Box::pin(walk_later_pages(language)),
        Box::pin(walk_refusals(language)),
        Box::pin(walk_failures(language)),
        Box::pin(walk_second_steps(language)),
    );
    let seen = [walks.0, walks.1, walks.2, walks.3, walks.4].concat();
    let missed = page_list::unvisited(&seen);
    assert!(missed.is_empty(), "pages that were not checked: {missed:?}; checked: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn english_pages_are_accessible() {
    walk("en").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maori_pages_are_accessible() {
    walk("mi").await;
}
