//! An authenticator app that shares no code with the program's (RFC 4226 and RFC 6238).

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use store::Timestamp;
use url::Url;

use crate::{
    app::{Patient, TestApp},
    http::{HttpBrowser, Response},
};

/// Seconds of a time step.
const STEP: i64 = 30;

/// An app with one account.
#[derive(Clone, Debug)]
pub struct AuthenticatorApp {
    secret: Vec<u8>,
}

impl AuthenticatorApp {
    /// Reads the address behind the link of an enrolment page.
    pub fn scan(page: &Response) -> Self {
        Self::with_address(&page.link("a[href^='otpauth:']").expect("an address for an app"))
    }

    /// Reads an address (Key URI Format).
    pub fn with_address(address: &str) -> Self {
        let address: Url = address.parse().expect("an address");
        assert_eq!(address.host_str(), Some("totp"), "{address}");
        let value = |name| {
            let mut pairs = address.query_pairs();
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        for (name, default) in [("algorithm", "SHA1"), ("digits", "6"), ("period", "30")] {
            assert_eq!(value(name).unwrap_or_else(|| default.to_owned()), default, "{address}");
        }
        Self::with_key(&value("secret").expect("a secret"))
    }

    /// An app whose key was typed: base 32 (RFC 4648, section 6).
    pub fn with_key(key: &str) -> Self {
        let (mut secret, mut bits, mut count) = (Vec::new(), 0_u32, 0);
        for letter in key.bytes().filter(|letter| !letter.is_ascii_whitespace()) {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'2'..=b'7' => letter - b'2' + 26,
                _ => panic!("no letter of a key: {key}"),
            };
            (bits, count) = (bits << 5 | u32::from(value), count + 5);
            if count >= 8 {
                count -= 8;
                secret.push(u8::try_from(bits >> count & 0xFF).expect("a byte"));
            }
        }
        Self { secret }
    }

    /// The code that it shows at a moment.
    pub fn code_at(&self, at: Timestamp) -> String {
        let step = u64::try_from(at.millis() / 1000 / STEP).expect("after 1970");
        let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&self.secret).expect("any length");
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let offset = usize::from(digest[19] & 0xF);
        let part: [u8; 4] = digest[offset..offset + 4].try_into().expect("four bytes");
        format!("{:06}", (u32::from_be_bytes(part) & 0x7FFF_FFFF) % 1_000_000)
    }

    /// The code that it shows now.
    pub fn code(&self, app: &TestApp) -> String {
        self.code_ahead(app, 0)
    }

    /// The code of an app whose clock is so many seconds ahead.
    pub fn code_ahead(&self, app: &TestApp, seconds: i64) -> String {
        let now = app.app().clock.now().millis();
        self.code_at(Timestamp::from_millis(now + seconds * 1000))
    }
}

impl HttpBrowser {
    /// Opens a page of the account, and signs in for it with password and mailed code.
    pub async fn open_account(&self, app: &TestApp, patient: &Patient, path: &str) -> Response {
        let page = self.get(path).await;
        let mails = app.mail.codes_to(&patient.email).len();
        let code_page = self.submit_password(&page, patient).await;
        assert!(code_page.has_field("code"), "{}", code_page.text());
        let code = app.mail.wait_for_code(&patient.email, mails + 1).await;
        let page = self.submit_code(&code_page, &code).await;
        assert_eq!(page.url.path(), path, "{}", page.text());
        page
    }

    /// Goes from the page of a second step to the one of another method.
    pub async fn choose_method(&self, page: &Response, method: &str) -> Response {
        let link = page.link("a[href^='/login/other-ways']").expect("a link to the other methods");
        let form = self.get(&link).await.form().with("method", method);
        self.follow(self.post(&form, "").await).await
    }

    /// Adds an authenticator app to an account, in a browser that has just signed in; returns the app and the page that is shown
    /// then: the recovery codes with the first app.
    pub async fn add_app(&self, app: &TestApp, name: &str) -> (AuthenticatorApp, Response) {
        let page = self.get("/account/authenticator-apps").await;
        let add = page.forms().pop().expect("a form to add one");
        let page = self.follow(self.post(&add, "add").await).await;
        let generator = AuthenticatorApp::scan(&page);
        let form = page.form().with("code", &generator.code(app)).with("name", name);
        let page = self.follow(self.post(&form, "confirm").await).await;
        assert!(page.has_text("The app was added"), "{}", page.text());
        (generator, page)
    }

    /// A person with an authenticator app and recovery codes: the app, and the codes as they were printed.
    pub async fn enroll(
        &self,
        app: &TestApp,
        patient: &Patient,
    ) -> (AuthenticatorApp, Vec<String>) {
        self.open_account(app, patient, "/account/authenticator-apps").await;
        let (generator, sheet) = self.add_app(app, "My phone").await;
        (generator, sheet.texts("ol.codes code"))
    }
}
