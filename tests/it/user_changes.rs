//! What an operator gives and changes of a person: name, claims, language, and the spelling of the address.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use vestibule_tests::{
    app::{Patient, TestApp},
    client::{Client, PendingRequest, get_userinfo},
    db::Engine,
    proc::{run, run_with_status},
    serve_process::ServeSetup,
};

use crate::engines::{apply, both_engines};

/// A file of claims that tests write.
struct ClaimsFile {
    _folder: TempDir,
    path: PathBuf,
}

impl ClaimsFile {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self { path: folder.path().join("claims.json"), _folder: folder }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn write(&self, content: impl AsRef<[u8]>) {
        std::fs::write(&self.path, content).unwrap();
    }
}

const EMAIL: &str = "tui@patients.example";
const PASSWORD: &str = "a walk along the river at noon";

/// The answer of userinfo to all scopes.
async fn userinfo(app: &TestApp, client: &Client, person: &Patient) -> Value {
    let browser = app.browser();
    browser.sign_in(app, client, person).await;
    let scope = "openid profile email address phone".to_owned();
    let pending = PendingRequest { scope, ..PendingRequest::new(client) };
    let landed = browser.get(pending.url(app.issuer(), &[])).await.authorization_response(pending);
    let tokens = client.redeem_tokens(app, &landed).await;
    get_userinfo(app, tokens["access_token"].as_str().unwrap()).await.json()
}

#[apply(both_engines)]
async fn claims_from_file_reach_userinfo(engine: Engine) {
    let app = TestApp::start(engine).await;
    let client = app.client("portal").await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let file = ClaimsFile::new();
    let given = json!({
        "name": "Tui Kahui", "given_name": "Tui", "birthdate": "1980-02-29", "email_verified": true,
        "phone_number": "+64 4 123 4567", "phone_number_verified": true, "address": {"country": "New Zealand"},
    });
    file.write(given.to_string());
    let add = ["user", "add", EMAIL, "--claims-file", file.path(), "--password-stdin"];
    run(served.change_command(&add), &format!("{PASSWORD}\n")).await;
    let (email, name) = (EMAIL.to_owned(), "Tui Kahui".to_owned());
    let person = Patient { email, password: PASSWORD.to_owned(), name };
    let claims = userinfo(&app, &client, &person).await;
    for (name, value) in given.as_object().unwrap() {
        assert_eq!(&claims[name], value, "{name}");
    }
    // The next file replaces all of it but name and verification; a mistake changes nothing.
    file.write(r#"{"nickname": "T", "locale": "mi-NZ"}"#);
    let set = ["user", "set", EMAIL, "--claims-file", file.path(), "--json"];
    let changed: Value = serde_json::from_str(&run(served.change_command(&set), "").await).unwrap();
    let names = ["address", "birthdate", "given_name", "phone_number", "phone_number_verified"];
    let names: Vec<_> = names.into_iter().chain(["locale", "nickname"]).collect();
    assert_eq!(changed["changed"], json!(names));
    let unchanged = run(served.change_command(&set), "").await;
    assert_eq!(serde_json::from_str::<Value>(&unchanged).unwrap()["changed"], json!([]));
    file.write(r#"{"nickname": 1, "phone": "+64"}"#);
    let (code, _, error) = run_with_status(served.change_command(&set), "").await;
    assert_eq!(code, 1, "{error}");
    for why in
        [file.path(), "nothing was changed", "nickname: must be text", "phone: is not a standard"]
    {
        assert!(error.contains(why), "{why}: {error}");
    }
    let claims = userinfo(&app, &client, &person).await;
    let found = (&claims["name"], &claims["nickname"], &claims["email_verified"]);
    assert_eq!(found, (&"Tui Kahui".into(), &"T".into(), &true.into()));
    assert!(claims.get("phone_number").is_none() && claims.get("birthdate").is_none(), "{claims}");
}

/// A file that is no text, has no end, or says one claim twice changes nothing; a byte order mark is ignored.
#[apply(both_engines)]
async fn unsuitable_claims_file_changes_nothing(engine: Engine) {
    let app = TestApp::start(engine).await;
    let mere = app.patient("Mere").await;
    let served = ServeSetup::prepare(engine, &app.db).await;
    let file = ClaimsFile::new();
    let changes = async |path: &str| {
        let set = ["user", "set", &mere.email, "--claims-file", path];
        run_with_status(served.change_command(&set), "").await
    };
    for (content, why) in [
        (vec![b' '; 65537], "is larger than 65536 bytes"),
        (b"{\"nickname\": \"Andr\xe9\"}".to_vec(), "save it as UTF-8"),
        (br#"{"nickname": "U", "nickname": "V"}"#.to_vec(), "nickname: is there twice"),
    ] {
        file.write(content);
        let (code, _, error) = changes(file.path()).await;
        assert!(code == 1 && error.contains(why), "{why}: {error}");
    }
    let (code, _, error) = changes("/dev/zero").await;
    assert!(code == 1 && error.contains("is not a regular file"), "{error}");
    file.write("\u{FEFF}{\"nickname\": \"T\", \"locale\": \"mi-NZ\"}");
    let (code, out, error) = changes(file.path()).await;
    assert!(code == 0 && out.ends_with("locale, nickname.\n"), "{out}{error}");
}

#[apply(both_engines)]
async fn set_changes_spelling_and_no_address(engine: Engine) {
    let app = TestApp::start(engine).await;
    let (client, mere) = (app.client("portal").await, app.patient("Mere").await);
    let served = ServeSetup::prepare(engine, &app.db).await;
    let set = async |args: &[&str]| {
        let all = [&["user", "set", &mere.email], args].concat();
        run_with_status(served.change_command(&all), "").await
    };
    let (code, out, error) = set(&["--email", "Mere@Patients.example", "--language", "mi"]).await;
    assert_eq!(
        (code, out.as_str()),
        (0, "Changed mere@patients.example: language, email.\n"),
        "{error}"
    );
    let (_, out, _) = set(&["--email", "Mere@Patients.example"]).await;
    assert!(out.contains("nothing was changed"), "{out}");
    for (args, code, why) in [
        (&["--email", "mere@other.example"][..], 1, "is another address, not another spelling"),
        (&["--email", "mere"], 1, "looks like name@example.org"),
        (&["--name", " "], 1, "a name is needed"),
        (&["--language", "fr"], 2, "have the languages en, mi"),
        (&[], 2, "required"),
    ] {
        let (ended, out, error) = set(args).await;
        assert!(ended == code && out.is_empty() && error.contains(why), "{args:?}: {error}");
    }
    let unknown = ["user", "set", "unknown@patients.example", "--name", "Mere"];
    let (code, _, error) = run_with_status(served.change_command(&unknown), "").await;
    assert!(code == 1 && error.contains("there is no user with the address"), "{error}");
    let (_, out, _) =
        run_with_status(served.command(&["user", "show", &mere.email, "--json"]), "").await;
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&shown["email"], &shown["language"]),
        (&"Mere@Patients.example".into(), &"mi".into())
    );
    // Mail goes to that spelling.
    let spelled = Patient { email: "Mere@Patients.example".to_owned(), ..mere.clone() };
    assert_eq!(userinfo(&app, &client, &spelled).await["email"], "Mere@Patients.example");
    // The trail names what was changed and has no value of it.
    let changes = shown["events"].as_array().unwrap().iter();
    assert_eq!(changes.filter(|event| event["event"] == "user.changed").count(), 1);
    let export = ["audit", "export", "--event", "user.changed"];
    let (_, row, _) = run_with_status(served.command(&export), "").await;
    let row: Value = serde_json::from_str(&row).unwrap();
    assert_eq!(row["detail"], json!({"changed": ["language", "email"], "reason": "test"}));
}
