//! A real Chromium, driven as a person would: with the keyboard, the mouse and visible text.
//!
//! One Chromium for each test process; a [`Browser`] is a separate profile in it (cookies, storage) and a [`Tab`] a page.
//! Every call waits for what it needs, and panics with the text of the page if it times out.

use std::{
    fmt::{self, Debug},
    path::Path,
    process::Command,
    sync::{Mutex, OnceLock, mpsc},
    thread,
};

use chromiumoxide::{
    Page,
    cdp::{
        browser_protocol::{
            browser::BrowserContextId,
            dom::ScrollIntoViewIfNeededParams,
            emulation::{
                SetDeviceMetricsOverrideParams, SetScriptExecutionDisabledParams,
                SetTouchEmulationEnabledParams,
            },
            input::InsertTextParams,
            log::{EventEntryAdded, LogEntrySource},
            network::Cookie,
            page::{
                CaptureScreenshotParams, EventLoadEventFired, EventNavigatedWithinDocument,
                GetFrameTreeParams, GetNavigationHistoryParams, NavigateToHistoryEntryParams,
                Viewport,
            },
            storage::GetCookiesParams,
            target::{CreateBrowserContextParams, CreateTargetParams},
        },
        js_protocol::runtime::EventExceptionThrown,
    },
    element::Element,
    handler::HandlerConfig,
    listeners::EventStream,
};
use futures_util::{FutureExt, StreamExt};
use tokio::{runtime, time::timeout};
use url::Url;

use vestibule_tests::{
    proc::{EndSignal, start_server, temp_folder},
    wait::{self, LIMIT, ProbeResult},
};

/// No network access of its own, no dialogs, and no differences between machines.
const FLAGS: [&str; 17] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-extensions",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-breakpad",
    "--disable-features=Translate,OptimizationHints,MediaRouter,HttpsUpgrades,PasswordLeakDetection",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--lang=en-NZ",
    "--remote-debugging-port=0",
];

/// The Chromium of this test process and the thread that drives it.
#[derive(Debug)]
struct Chromium {
    driver: chromiumoxide::Browser,
    runtime: runtime::Handle,
}

fn chromium() -> &'static Chromium {
    static CHROMIUM: OnceLock<Chromium> = OnceLock::new();
    CHROMIUM.get_or_init(|| {
        let profile = temp_folder();
        let program = ["chromium", "chromium-browser", "google-chrome"];
        let program = program.into_iter().find(|name| on_path(name));
        let mut command =
            Command::new(program.expect("Chromium is not installed; scripts/test does"));
        // Files of Chromium outside its profile are removed with it.
        command
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.display()))
            .env("TMPDIR", &profile);
        let line = start_server(&mut command, EndSignal::Kill, "DevTools listening on ")
            .unwrap_or_else(|said| panic!("Chromium does not start; its output:\n{said}"));
        let (_, address) = line.split_once("listening on ").expect("just found");
        drive(address.trim().to_owned())
    })
}

fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Drives Chromium in a thread of its own: each test's runtime ends with the test, and the connection must outlive it.
fn drive(address: String) -> Chromium {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let config = HandlerConfig { request_timeout: LIMIT, ..HandlerConfig::default() };
            let connected = chromiumoxide::Browser::connect_with_config(address, config).await;
            let (driver, mut events) = connected.expect("Chromium answers");
            let chromium = Chromium { driver, runtime: runtime::Handle::current() };
            sender.send(chromium).expect("somebody waits");
            while events.next().await.is_some() {}
        });
    });
    receiver.recv().expect("Chromium is connected")
}

/// A person's browser: a separate profile.
pub struct Browser {
    context: BrowserContextId,
}

impl Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

impl Browser {
    /// A browser without cookies. Dropping the value removes it. The first call starts Chromium.
    pub async fn start() -> Self {
        let context =
            chromium().driver.create_browser_context(CreateBrowserContextParams::default());
        Self { context: context.await.expect("a new profile") }
    }

    /// Opens a tab of 1280 x 900.
    pub async fn tab(&self) -> Tab {
        let params = CreateTargetParams::builder()
            .url("about:blank")
            .browser_context_id(self.context.clone())
            .build();
        let page = chromium().driver.new_page(params.expect("it has an address")).await;
        let page = page.expect("a new tab");
        page.enable_log().await.expect("a log");
        let complaints = page.event_listener::<EventEntryAdded>().await.expect("a log");
        let exceptions = page.event_listener::<EventExceptionThrown>().await.expect("a log");
        let tab = Tab { page, problems: Mutex::new(Problems { complaints, exceptions }) };
        tab.set_viewport(1280, 900, false).await;
        tab
    }

    /// Every cookie, of all sites.
    pub async fn cookies(&self) -> Vec<Cookie> {
        let params = GetCookiesParams::builder().browser_context_id(self.context.clone()).build();
        chromium().driver.execute(params).await.expect("cookies").result.cookies
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let context = self.context.clone();
        let chromium = chromium();
        chromium.runtime.spawn(chromium.driver.dispose_browser_context(context));
    }
}

/// A page in a [`Browser`].
pub struct Tab {
    page: Page,
    problems: Mutex<Problems>,
}

struct Problems {
    complaints: EventStream<EventEntryAdded>,
    exceptions: EventStream<EventExceptionThrown>,
}

impl Debug for Tab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tab").field("page", &self.page).finish_non_exhaustive()
    }
}

impl Tab {
    /// Goes to `url` and waits until the page it ends on has loaded.
    pub async fn open(&self, url: impl AsRef<str>) {
        let url = url.as_ref();
        let mut loads = self.loads().await;
        // A refused connection is an error here, but Chromium shows a page for it. Only the address where the browser ends
        // counts.
        let _ = self.page.goto(url).await;
        if !self.is_loaded().await {
            self.with_time_limit("the page does not load", loads.next()).await;
        }
    }

    /// The address shown; for a page that could not be reached, the requested one.
    pub async fn url(&self) -> Url {
        let tree = self.page.execute(GetFrameTreeParams::default()).await.expect("the tab is open");
        let frame = tree.result.frame_tree.frame;
        let shown = frame.unreachable_url.unwrap_or(frame.url);
        Url::parse(&(shown + &frame.url_fragment.unwrap_or_default())).expect("an address")
    }

    /// Waits until `wanted` accepts the address and the page has loaded; returns the address.
    pub async fn wait_for_url(&self, wanted: impl Fn(&Url) -> bool) -> Url {
        let mut loads = self.loads().await;
        let within = self.page.event_listener::<EventNavigatedWithinDocument>().await;
        let mut within = within.expect("the tab is open");
        let arrival = async {
            loop {
                let url = self.url().await;
                if wanted(&url) && self.is_loaded().await {
                    return url;
                }
                tokio::select! {
                    _ = loads.next() => {}
                    _ = within.next() => {}
                }
            }
        };
        self.with_time_limit("the address does not come", arrival).await
    }

    /// Types `text` into the field, in place of what it holds.
    pub async fn fill(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        self.wait_for_autofocus().await;
        self.show(&field).await;
        let select = "function() { this.focus(); this.select(); }";
        field.call_js_fn(select, false).await.expect("a field");
        if text.is_empty() {
            field.press_key("Delete").await.expect("it takes keys");
        } else {
            self.page.execute(InsertTextParams::new(text)).await.expect("it takes text");
        }
    }

    /// Waits until the autofocus element has the focus. That is when the page is drawn; a person types later. Typing earlier
    /// would take the focus first, and Chromium then logs that autofocus was blocked.
    async fn wait_for_autofocus(&self) {
        let taken =
            "!document.querySelector('[autofocus]') || document.activeElement !== document.body";
        let drawn = async || self.evaluate::<bool>(taken).await;
        self.until("the autofocus element does not get the focus", drawn).await;
    }

    /// Presses a key (`Enter`, `Tab`) in the field.
    pub async fn press(&self, selector: &str, key: &str) {
        let field = self.find(selector).await;
        field.focus().await.expect("it can be focused");
        field.press_key(key).await.expect("it takes keys");
    }

    /// Clicks with the mouse; does not wait.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.show(&element).await;
        let clicked = match element.clickable_point().await {
            Ok(point) => self.page.click(point).await.map(|_| ()),
            Err(error) => Err(error),
        };
        if let Err(error) = clicked {
            panic!("{selector} cannot be clicked: {error}\n{}", self.describe().await);
        }
    }

    /// Scrolls to an element. The driver's own method needs scripts.
    async fn show(&self, element: &Element) {
        let node = ScrollIntoViewIfNeededParams::builder().backend_node_id(element.backend_node_id);
        self.page.execute(node.build()).await.expect("it can be seen");
    }

    /// Clicks and waits until the next page has loaded, even when its address is the same.
    pub async fn submit(&self, selector: &str) {
        let mut loads = self.loads().await;
        self.click(selector).await;
        self.with_time_limit("no page follows", loads.next()).await;
    }

    /// Goes to the entry of the history before this one, and waits until its page has loaded.
    pub async fn go_back(&self) {
        let history = async || self.page.execute(GetNavigationHistoryParams::default()).await;
        let now = history().await.expect("the tab is open").result;
        let index = usize::try_from(now.current_index).expect("an index");
        let before = &now.entries[index.checked_sub(1).expect("an entry before this one")];
        let back = NavigateToHistoryEntryParams::new(before.id);
        self.page.execute(back).await.expect("the tab is open");
        // A page that the browser has kept is shown without being loaded again. While it takes the place of another one, the
        // tab has no page that answers.
        let arrived = async || match history().await {
            Ok(after) => after.result.current_index < now.current_index && self.is_loaded().await,
            Err(_) => false,
        };
        self.until("the earlier page does not come", arrived).await;
    }

    /// Whether an element is on the page now.
    pub async fn has(&self, selector: &str) -> bool {
        self.page.find_element(selector).await.is_ok()
    }

    /// What a person can read on the page.
    pub async fn text(&self) -> String {
        self.evaluate("document.body ? document.body.innerText : ''").await
    }

    /// What a person can read in an element.
    pub async fn text_of(&self, selector: &str) -> String {
        self.property(selector, "innerText").await
    }

    /// The content of a field.
    pub async fn value(&self, selector: &str) -> String {
        self.property(selector, "value").await
    }

    /// The result of an expression, computed by the developer tools: it works with scripts off too.
    pub async fn evaluate<T: serde::de::DeserializeOwned>(&self, expression: &str) -> T {
        let result = self.page.evaluate_expression(expression).await;
        let result = result.unwrap_or_else(|error| panic!("{expression}: {error}"));
        result.into_value().unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// Width and height in CSS pixels; a mobile page has touch and two dots per pixel.
    pub async fn set_viewport(&self, width: u32, height: u32, mobile: bool) {
        let scale = if mobile { 2.0 } else { 1.0 };
        let metrics = SetDeviceMetricsOverrideParams::new(width, height, scale, mobile);
        self.page.execute(metrics).await.expect("a size");
        self.page.execute(SetTouchEmulationEnabledParams::new(mobile)).await.expect("touch");
    }

    /// Turns the scripts of pages on or off, from the next page on.
    pub async fn set_javascript(&self, on: bool) {
        let params = SetScriptExecutionDisabledParams::new(!on);
        self.page.execute(params).await.expect("scripts on or off");
    }

    /// Writes a PNG of the whole page; creates the folder if needed.
    ///
    /// With a clip: the driver's own `full_page` changes the viewport and does not restore it.
    pub async fn screenshot(&self, file: impl AsRef<Path>) {
        let file = file.as_ref();
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).expect("a folder");
        let size = "[innerWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]";
        let (width, height) = self.evaluate::<(f64, f64)>(size).await;
        let page = Viewport { x: 0.0, y: 0.0, width, height, scale: 1.0 };
        // Compressed fast, which makes the file a third larger: a walk takes a hundred screenshots.
        let whole = CaptureScreenshotParams::builder()
            .clip(page)
            .capture_beyond_viewport(true)
            .optimize_for_speed(true)
            .build();
        self.page.save_screenshot(whole, file).await.expect("a picture");
    }

    /// The page's problems since the last call: script errors and violations of its content security policy.
    pub async fn problems(&self) -> Vec<String> {
        // Events before this answer are in the streams after it.
        self.url().await;
        let mut problems = self.problems.lock().expect("no holder panicked");
        let mut found = Vec::new();
        while let Some(Some(event)) = problems.complaints.next().now_or_never() {
            // The network log reports an answer of 400 as an error; the test checks it itself.
            if event.entry.source != LogEntrySource::Network {
                found.push(event.entry.text.clone());
            }
        }
        while let Some(Some(event)) = problems.exceptions.next().now_or_never() {
            found.push(event.exception_details.text.clone());
        }
        found
    }

    /// The driver's page, for what this type does not offer.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// Waits until the element exists.
    async fn find(&self, selector: &str) -> Element {
        // Scripts change a page without an event to wait for.
        let search = async || self.page.find_element(selector).await.ok();
        self.until(&format!("there is no {selector}"), search).await
    }

    async fn property(&self, selector: &str, name: &str) -> String {
        let property = self.find(selector).await.string_property(name).await;
        property.expect("the element is there").unwrap_or_default()
    }

    async fn loads(&self) -> EventStream<EventLoadEventFired> {
        self.page.event_listener().await.expect("the tab is open")
    }

    async fn is_loaded(&self) -> bool {
        // Between two pages there is no document to evaluate in: not loaded.
        let state = self.page.evaluate_expression("document.readyState").await;
        state.is_ok_and(|state| state.into_value::<String>().is_ok_and(|s| s == "complete"))
    }

    async fn with_time_limit<T>(&self, otherwise: &str, what: impl Future<Output = T>) -> T {
        match timeout(LIMIT, what).await {
            Ok(value) => value,
            Err(late) => panic!("{otherwise} ({late})\n{}", self.describe().await),
        }
    }

    /// Polls until the condition holds; panics with the text of the page on timeout.
    async fn until<L: ProbeResult>(
        &self,
        otherwise: &str,
        probe: impl AsyncFnMut() -> L,
    ) -> L::Value {
        let Ok(found) = wait::try_until(probe).await else {
            panic!("{otherwise} within {LIMIT:?}\n{}", self.describe().await)
        };
        found
    }

    async fn describe(&self) -> String {
        format!("at {}:\n{}", self.url().await, self.text().await)
    }
}

#[cfg(test)]
mod tests;
