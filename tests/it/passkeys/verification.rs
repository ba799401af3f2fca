//! What makes an assertion or a registration invalid (WebAuthn Level 3, sections 7.1 and 7.2).

use serde_json::json;
use vestibule_tests::{app::TestApp, db::Engine, passkey_device::PasskeyDevice};

use crate::engines::{apply, both_engines};

/// A change of what a device does.
type Change = fn(&mut PasskeyDevice, &str);

/// Misuse case 45: an assertion for another place is refused, whatever tells so.
#[apply(both_engines)]
async fn case_45_foreign_origins_are_refused(engine: Engine) {
    let origin: fn(&mut PasskeyDevice, &str) =
        |device, origin| origin.clone_into(&mut device.origin);
    let data: fn(&mut PasskeyDevice, &str) = |device, json| {
        device.client_data = serde_json::from_str(json).expect("JSON");
    };
    let rp_id: fn(&mut PasskeyDevice, &str) = |device, id| device.rp_id = Some(id.to_owned());
    assert_refused(
        engine,
        &[
            ("invalid", origin, "https://phishing.example"),
            ("invalid", origin, "https://localhost"),
            ("invalid", origin, "http://sub.localhost"),
            ("invalid", origin, "android:apk-key-hash:oaGhoaGhoaGhoaGhoaGhoaGhoaGhoaGhoaGhoaGhoaE"),
            ("invalid", rp_id, "phishing.example"),
            ("invalid", data, r#"{"crossOrigin":true}"#),
            ("invalid", data, r#"{"topOrigin":"https://a.example"}"#),
            ("invalid", data, r#"{"type":"webauthn.create"}"#),
        ],
    )
    .await;
}

/// Misuse case 46: an assertion of another challenge, person or kind of passkey is refused.
#[apply(both_engines)]
async fn case_46_changed_assertions_are_refused(engine: Engine) {
    assert_refused(
        engine,
        &[
            ("invalid", |device, _| device.client_data = json!({ "challenge": "AAAA" }), ""),
            ("invalid", |device, _| device.user_handle = Some(vec![7; 16]), ""),
            ("invalid", |device, _| device.user_handle = None, ""),
            ("not_verified", |device, _| device.verifies = false, ""),
            ("eligibility", |device, _| device.synced = true, ""),
        ],
    )
    .await;
}

/// Posts a right assertion of one passkey after each change, and then as it is.
async fn assert_refused(engine: Engine, changes: &[(&str, Change, &str)]) {
    let app = TestApp::start(engine).await;
    let (client, patient) = (app.client("portal").await, app.patient("Mere").await);
    let (mut device, _) = app.browser().register_passkey(&app, &patient).await;
    let (issuer, handle) = (app.issuer().to_owned(), device.user_handle.clone());
    for (nth, (outcome, change, value)) in changes.iter().enumerate() {
        change(&mut device, value);
        let browser = app.browser();
        let (start, _) = browser.open_sign_in_page(&client).await;
        let page = browser.use_passkey(&start, &mut device).await;
        assert!(page.location().is_none(), "{nth}: {}", page.text());
        let outcomes = app.audit_outcomes("passkey.checked").await;
        assert_eq!((outcomes.len(), outcomes[nth].as_str()), (nth + 1, *outcome), "{nth} {value}");
        device.origin.clone_from(&issuer);
        device.user_handle.clone_from(&handle);
        (device.client_data, device.rp_id) = (json!({}), None);
        (device.synced, device.verifies) = (false, true);
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
