//! Accessibility of a page: keys, focus, larger text, other colours, and the rules of axe-core.

use std::sync::OnceLock;

use chromiumoxide::cdp::browser_protocol::{
    emulation::{MediaFeature, SetEmulatedMediaParams, SetFocusEmulationEnabledParams},
    input::{DispatchKeyEventParams, DispatchKeyEventType, InsertTextParams},
    page::{FontSizes, SetFontSizesParams},
};

use crate::browser::Tab;

/// The Shift key in `modifiers` of the `DevTools` protocol.
const SHIFT: i64 = 8;

/// Layout problems: sideways scrolling, clipped text and overlapping elements.
const LAYOUT: &str = include_str!("accessibility/layout.js");
/// The focused element, and whether the focus is visible.
const FOCUS: &str = include_str!("accessibility/focus.js");

fn axe() -> &'static str {
    static AXE: OnceLock<String> = OnceLock::new();
    AXE.get_or_init(|| {
        let file = vestibule_tests::workspace_root()
            .join("target/tools/axe/node_modules/axe-core/axe.min.js");
        std::fs::read_to_string(file).expect("scripts/prepare installs axe-core")
    })
}

/// Makes the page believe that its window is in front: tests that run at once share one Chromium.
pub async fn bring_to_front(tab: &Tab) {
    let params = SetFocusEmulationEnabledParams::new(true);
    tab.page().execute(params).await.expect("the tab is open");
}

/// Presses a key on the focused element.
pub async fn press_key(tab: &Tab, key: &str) {
    dispatch_key(tab, key, 0).await;
}

/// Presses a key with Shift on the focused element.
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
    // The page may be gone because of the key.
    let _ = tab.page().execute(up).await;
}

/// Types into the focused element.
pub async fn type_text(tab: &Tab, text: &str) {
    tab.page().execute(InsertTextParams::new(text)).await.expect("it takes text");
}

/// The id, value or text of the focused element, with a remark if the focus is not visible.
pub async fn focused_element(tab: &Tab) -> String {
    tab.evaluate(FOCUS).await
}

/// The time origin of the page; none between two pages. It distinguishes a page from an earlier one at the same address.
pub async fn page_started_at(tab: &Tab) -> Option<f64> {
    let ready = "document.readyState === 'complete' ? performance.timeOrigin : 0";
    let begun = tab.page().evaluate_expression(ready).await.ok()?.into_value::<f64>().ok()?;
    (begun > 0.0).then_some(begun)
}

/// Emulates media features: `prefers-color-scheme`, `forced-colors`.
pub async fn emulate_media(tab: &Tab, features: &[(&str, &str)]) {
    let features: Vec<_> =
        features.iter().map(|(name, value)| MediaFeature::new(*name, *value)).collect();
    let params = SetEmulatedMediaParams::builder().media("").features(features).build();
    tab.page().execute(params).await.expect("it can be preferred");
}

/// Sets the text size preference of the browser, in percent.
pub async fn set_text_size(tab: &Tab, percent: i64) {
    let sizes = FontSizes::builder().standard(16 * percent / 100).fixed(13 * percent / 100);
    tab.page().execute(SetFontSizesParams::new(sizes.build())).await.expect("a size");
}

/// The layout problems of the page.
pub async fn layout_problems(tab: &Tab) -> Vec<String> {
    tab.evaluate(LAYOUT).await
}

/// The violations of axe-core rules, each with its element; `rules` are names of rules, empty for all of them.
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
