//! What makes an assertion or a registration invalid (WebAuthn Level 3, sections 7.1 and 7.2).

use serde_json::json;
use vestibule_tests::{app::TestApp, db::Engine, passkey_device::PasskeyDevice};

use crate::engines::{apply, both_engines};

/// A change of what a device does.
type Change = fn(&mut PasskeyDevice);

/// Misuse cases 45 and 46: each change of a right assertion is refused.
#[apply(both_engines)]
async fn case_46_changed_assertions_are_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    let (issuer, handle) = (app.issuer().to_owned(), device.user_handle.clone());
    let changes: [(&str, Change); 8] = [
        ("invalid", |device| device.origin = "https://phishing.example".to_owned()),
        ("invalid", |device| device.client_data = json!({ "crossOrigin": true })),
        ("invalid", |device| device.client_data = json!({ "topOrigin": "https://a.example" })),
        ("invalid", |device| device.client_data = json!({ "type": "webauthn.create" })),
        ("invalid", |device| device.client_data = json!({ "challenge": "AAAA" })),
        ("invalid", |device| device.user_handle = Some(vec![7; 16])),
        ("invalid", |device| device.user_handle = None),
        ("eligibility", |device| device.synced = true),
    ];
    for (nth, (outcome, change)) in changes.into_iter().enumerate() {
        change(&mut device);
        let browser = app.browser();
        let (start, _) = browser.open_sign_in_page(&client).await;
        let page = browser.use_passkey(&start, &mut device).await;
        assert!(page.location().is_none(), "{nth}: {}", page.text());
        assert_eq!(app.audit_outcomes("passkey.checked").await.len(), nth + 1);
        assert_eq!(app.audit_outcomes("passkey.checked").await[nth], outcome, "{nth}");
        device.origin.clone_from(&issuer);
        device.user_handle.clone_from(&handle);
        (device.client_data, device.synced) = (json!({}), false);
    }
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    assert!(browser.use_passkey(&start, &mut device).await.location().is_some());
}

/// Misuse case 47: a counter that does not grow may be a copy's. The passkey is not switched off.
#[apply(both_engines)]
async fn case_47_regressed_counter_is_refused(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    for (counter, is_right) in [(10, true), (5, false), (11, true), (11, false), (12, true)] {
        device.counter = counter;
        let browser = app.browser();
        let (start, _) = browser.open_sign_in_page(&client).await;
        let page = browser.use_passkey(&start, &mut device).await;
        assert_eq!(page.location().is_some(), is_right, "{counter}: {}", page.text());
        if !is_right {
            assert!(page.has_text("answers differently than before"), "{}", page.text());
        }
    }
    let outcomes = app.audit_outcomes("passkey.checked").await;
    assert_eq!(outcomes, ["right", "counter", "right", "counter", "right"]);
}

/// A passkey that was removed, or is of another deployment, leads to another way.
#[apply(both_engines)]
async fn unknown_passkey_names_other_way(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let mut device = PasskeyDevice::new(app.issuer());
    device.user_handle = Some(vec![1; 16]);
    let browser = app.browser();
    let (start, _) = browser.open_sign_in_page(&client).await;
    let page = browser.use_passkey(&start, &mut device).await;
    assert!(page.has_text("This passkey is not known here"), "{}", page.text());
    // The link of the text leads to the other way, which is on the page.
    assert_eq!(page.link(".problem a").as_deref(), Some("#with-password"));
    assert!(page.has_field("password") && page.body.contains("id=\"with-password\""));
    assert_eq!(app.audit_outcomes("passkey.checked").await, ["unknown"]);
}
