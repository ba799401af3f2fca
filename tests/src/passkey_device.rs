//! A passkey device that shares no code with the program's verifier (WebAuthn Level 3, sections 6 and 7): it signs with
//! aws-lc, and encodes CBOR by hand.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use scraper::{Html, Selector};
use serde_json::{Value, json};

use crate::{
    app::{Patient, TestApp},
    http::{HttpBrowser, Response},
    page::Form,
};

/// The person is there.
const PRESENT: u8 = 0x01;
/// The person was verified.
const VERIFIED: u8 = 0x04;
/// It can be backed up.
const ELIGIBLE: u8 = 0x08;
/// It is backed up.
const SYNCED: u8 = 0x10;
/// The credential's key follows.
const WITH_KEY: u8 = 0x40;

/// A device with one passkey.
#[derive(Debug)]
pub struct PasskeyDevice {
    key: EcdsaKeyPair,
    /// The credential id.
    pub id: Vec<u8>,
    /// The user handle that it was given; none if it does not keep one.
    pub user_handle: Option<Vec<u8>>,
    /// The signature counter: not counted while it is zero.
    pub counter: u32,
    /// Whether it verifies the person.
    pub verifies: bool,
    /// Whether it can be backed up, and is.
    pub synced: bool,
    /// The RP ID that its browser passes on, if it is not the one of the options.
    pub rp_id: Option<String>,
    /// The origin that its browser reports.
    pub origin: String,
    /// The AAGUID of its model.
    pub model: [u8; 16],
    /// More members of the client data.
    pub client_data: Value,
}

impl PasskeyDevice {
    /// A device whose browser is at an issuer.
    pub fn new(issuer: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        let id = digest(&SHA256, key.public_key().as_ref()).as_ref()[..16].to_vec();
        Self {
            key,
            id,
            user_handle: None,
            counter: 0,
            verifies: true,
            synced: false,
            rp_id: None,
            origin: issuer.to_owned(),
            model: [0; 16],
            client_data: json!({}),
        }
    }

    /// Answers the options of a registration.
    pub fn create(&mut self, options: &Value) -> String {
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required", "{options}");
        assert_eq!(options["attestation"], "none", "{options}");
        let handle = options["user"]["id"].as_str().expect("a user handle");
        self.user_handle = Some(URL_SAFE_NO_PAD.decode(handle).expect("base64url"));
        let mut data = self.authenticator_data(options["rp"]["id"].as_str(), WITH_KEY);
        data.extend(self.model);
        data.extend(u16::try_from(self.id.len()).expect("a short id").to_be_bytes());
        data.extend(&self.id);
        // COSE_Key (RFC 9053, section 7.1): EC2, ES256, P-256 and the two coordinates.
        let point = self.key.public_key().as_ref();
        data.extend([0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..65]);
        let mut object = b"\xA3\x63fmt\x64none\x67attStmt\xA0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("a short one"));
        object.extend(data);
        self.answer(&json!({
            "clientDataJSON": encode(&self.client_data("webauthn.create", options)),
            "attestationObject": encode(&object),
        }))
    }

    /// Answers the options of an assertion.
    pub fn get(&mut self, options: &Value) -> String {
        assert_eq!(options["userVerification"], "required", "{options}");
        if self.counter > 0 {
            self.counter += 1;
        }
        let data = self.authenticator_data(options["rpId"].as_str(), 0);
        let client_data = self.client_data("webauthn.get", options);
        let signed = [data.as_slice(), digest(&SHA256, &client_data).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("a signature");
        self.answer(&json!({
            "clientDataJSON": encode(&client_data),
            "authenticatorData": encode(&data),
            "signature": encode(signature.as_ref()),
            "userHandle": self.user_handle.as_deref().map(encode),
        }))
    }

    fn answer(&self, response: &Value) -> String {
        let id = encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {} })
            .to_string()
    }

    fn authenticator_data(&self, rp_id: Option<&str>, more: u8) -> Vec<u8> {
        let mut flags = PRESENT | more;
        if self.verifies {
            flags |= VERIFIED;
        }
        if self.synced {
            flags |= ELIGIBLE | SYNCED;
        }
        let rp_id = self.rp_id.as_deref().or(rp_id).expect("an RP ID");
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let mut data = json!({
            "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false,
        });
        for (name, value) in self.client_data.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
        data.to_string().into_bytes()
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Response {
    /// The options of the page's ceremony, and the form for the answer.
    pub fn ceremony(&self) -> (Value, Form) {
        let options = {
            let document = Html::parse_document(&self.body);
            let selector = Selector::parse("form[data-passkey]").expect("a selector");
            let form = document.select(&selector).next();
            let form = form.unwrap_or_else(|| panic!("no ceremony: {}", self.text()));
            form.attr("data-options").expect("options").to_owned()
        };
        let form = self.forms().into_iter().find(|form| !form.value("ceremony").is_empty());
        (serde_json::from_str(&options).expect("JSON"), form.expect("a form of a ceremony"))
    }
}

impl HttpBrowser {
    /// Answers the ceremony of a page with an assertion.
    pub async fn use_passkey(&self, page: &Response, device: &mut PasskeyDevice) -> Response {
        let (options, form) = page.ceremony();
        self.post(&form.with("answer", &device.get(&options)), "").await
    }

    /// Adds the passkey of a device to an account, in a browser that has just signed in; the page that is shown then.
    pub async fn add_passkey(&self, device: &mut PasskeyDevice) -> Response {
        let (options, form) = self.get("/account/passkeys").await.ceremony();
        self.follow(self.post(&form.with("answer", &device.create(&options)), "").await).await
    }

    /// A person with a passkey and recovery codes: its device, and the codes as they were printed.
    pub async fn register_passkey(
        &self,
        app: &TestApp,
        patient: &Patient,
    ) -> (PasskeyDevice, Vec<String>) {
        self.open_account(app, patient, "/account/passkeys").await;
        let mut device = PasskeyDevice::new(app.issuer());
        let page = self.add_passkey(&mut device).await;
        assert!(page.has_text("The passkey was added"), "{}", page.text());
        (device, page.texts("ol.codes code"))
    }
}
