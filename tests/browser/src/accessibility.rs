//! How a page is for those who do not use a mouse, do not see well or do not see: keys, focus, larger text, other colours,
//! and the rules of axe-core.

use std::sync::OnceLock;

use chromiumoxide::cdp::browser_protocol::{
    emulation::{MediaFeature, SetEmulatedMediaParams, SetFocusEmulationEnabledParams},
    input::{DispatchKeyEventParams, DispatchKeyEventType, InsertTextParams},
    page::{FontSizes, SetFontSizesParams},
};

use crate::browser::Tab;

/// `MODIFIER` of the protocol for the Shift key.
const SHIFT: i64 = 8;

/// What is wrong with how a page is laid out: sideways scrolling, text that is cut, and things that lie on each other.
const LAYOUT: &str = include_str!("accessibility/layout.js");
/// What has the focus, and whether that can be seen.
const FOCUS: &str = include_str!("accessibility/focus.js");

fn axe() -> &'static str {
    static AXE: OnceLock<String> = OnceLock::new();
    AXE.get_or_init(|| {
        let file = vestibule_tests::workspace_root()
            .join("target/tools/axe/node_modules/axe-core/axe.min.js");
        std::fs::read_to_string(file).expect("scripts/prepare installs axe-core")
    })
}

/// Puts the window in front, as far as its page can tell: tests that run at once share one Chromium.
pub async fn bring_to_front(tab: &Tab) {
    let params = SetFocusEmulationEnabledParams::new(true);
    tab.page().execute(params).await.expect("the tab is open");
}

/// Presses a key where the focus is.
pub async fn press_key(tab: &Tab, key: &str) {
    dispatch_key(tab, key, 0).await;
}

/// Presses a key with Shift where the focus is.
pub async fn press_shift_key(tab: &Tab, key: &str) {
    dispatch_key(tab, key, SHIFT).await;
}

async fn dispatch_key(tab: &Tab, key: &str, modifiers: i64) {
    let (code, number, text) = match key {
        "Tab" => ("Tab", 9, None),
        "Enter" => ("Enter", 13, Some("\r")),
        " " => ("Space", 32, Some(" ")),
        other => panic!("which key is {other}?"),
    };
    let event = DispatchKeyEventParams::builder()
        .key(key)
        .code(code)
        .windows_virtual_key_code(number)
        .modifiers(modifiers);
    let down = match text {
        Some(text) => event.clone().r#type(DispatchKeyEventType::KeyDown).text(text),
        None => event.clone().r#type(DispatchKeyEventType::RawKeyDown),
    };
    tab.page().execute(down.build().expect("a key")).await.expect("the tab is open");
    let up = event.r#type(DispatchKeyEventType::KeyUp).build().expect("a key");
    // The page may be gone by what the key did.
    let _ = tab.page().execute(up).await;
}

/// Types where the focus is.
pub async fn type_text(tab: &Tab, text: &str) {
    tab.page().execute(InsertTextParams::new(text)).await.expect("it takes text");
}

/// What has the focus: its id, or its value, or its text; with a word about it if it cannot be seen.
pub async fn focused_element(tab: &Tab) -> String {
    tab.evaluate(FOCUS).await
}

/// When the page was begun; nothing between two pages. It tells a page from the one before at the same address.
pub async fn page_started_at(tab: &Tab) -> Option<f64> {
    let ready = "document.readyState === 'complete' ? performance.timeOrigin : 0";
    let begun = tab.page().evaluate_expression(ready).await.ok()?.into_value::<f64>().ok()?;
    (begun > 0.0).then_some(begun)
}

/// Prefers what these media features say: `prefers-color-scheme`, `forced-colors`.
pub async fn emulate_media(tab: &Tab, features: &[(&str, &str)]) {
    let features: Vec<_> =
        features.iter().map(|(name, value)| MediaFeature::new(*name, *value)).collect();
    let params = SetEmulatedMediaParams::builder().media("").features(features).build();
    tab.page().execute(params).await.expect("it can be preferred");
}

/// Sets the size of text that the person has chosen in the browser, in percent.
pub async fn set_text_size(tab: &Tab, percent: i64) {
    let sizes = FontSizes::builder().standard(16 * percent / 100).fixed(13 * percent / 100);
    tab.page().execute(SetFontSizesParams::new(sizes.build())).await.expect("a size");
}

/// What is wrong with the layout.
pub async fn layout_problems(tab: &Tab) -> Vec<String> {
    tab.evaluate(LAYOUT).await
}

/// What breaks a rule of axe-core, each with the element that does; `rules` are names of rules, or none for all of them.
pub async fn violations(tab: &Tab, rules: &[&str]) -> Vec<String> {
    if !tab.evaluate::<bool>("typeof axe === 'object'").await {
        tab.evaluate::<bool>(&format!("{}; true", axe())).await;
    }
    let only = if rules.is_empty() {
        String::new()
    } else {
        format!(", runOnly: {{ type: 'rule', values: {rules:?} }}")
    };
    let run = format!(
        "axe.run(document, {{ resultTypes: ['violations']{only} }}).then(found => found.violations.flatMap(
            rule => rule.nodes.map(node => `${{rule.id}}: ${{node.html}}: ${{node.failureSummary}}`)))"
    );
    tab.evaluate(&run).await
}
