//! Every parser that a stranger can reach, each as a function from bytes to a property that must hold for all bytes.
//!
//! `scripts/fuzz` runs them for minutes on inputs made from the corpus; `tests/it/fuzz.rs` replays the corpus with each test
//! run. A target panics with its property when the property does not hold.

mod email_and_language;
mod mutator;
mod requests;
mod responses;
mod sealed;
mod typed_input;

use std::path::PathBuf;

pub use mutator::Mutator;

use crate::{app::TestApp, client::Client, db::Engine, http::HttpBrowser};

/// The context of the targets.
#[derive(Debug)]
pub struct FuzzContext {
    app: TestApp,
    browser: HttpBrowser,
    sealed: sealed::GenuineTexts,
    runtime: tokio::runtime::Handle,
}

impl FuzzContext {
    /// Starts a provider with a client of each kind.
    pub async fn start() -> Self {
        let app = TestApp::start(Engine::Sqlite).await;
        let portal: Client = app.client("portal").await;
        app.client_with("native", |new| {
            new.profile = flows::client::Profile::Native;
            new.metadata.token_endpoint_auth_method = flows::client::AuthMethod::None;
            new.metadata.redirect_uris =
                vec!["http://127.0.0.1/callback".to_owned(), "org.example.app:/back".to_owned()];
        })
        .await;
        // No input may be rate limited instead of being judged.
        app.set_setting("sign_in.posts_per_minute_ipv6_48", "1000000").await;
        app.set_setting("sign_in.posts_per_minute", "1000000").await;
        let sealed = sealed::GenuineTexts::make(&app, &portal).await;
        let browser = app.browser();
        Self { app, browser, sealed, runtime: tokio::runtime::Handle::current() }
    }

    /// Waits for a flow. Targets are plain functions on a thread of their own.
    fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }
}

/// One parser.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also the name of its folder in `tests/corpus`.
    pub name: &'static str,
    /// Fragments for making its inputs.
    pub dictionary: &'static [&'static str],
    /// Checks the property for an input.
    pub run: fn(&FuzzContext, &[u8]),
}

/// Every target.
pub const TARGETS: [Target; 18] = [
    Target {
        name: "params",
        dictionary: &["=", "&", "%", "%00", "+", "%C4%81", "a"],
        run: requests::params,
    },
    Target { name: "authorize", dictionary: requests::WORDS, run: requests::authorize },
    Target { name: "cookies", dictionary: requests::COOKIES, run: requests::cookies },
    Target { name: "forwarded", dictionary: requests::HOPS, run: requests::forwarded },
    Target {
        name: "basic",
        dictionary: &["Basic ", "Og==", "=", "%3A", ":"],
        run: requests::basic,
    },
    Target { name: "attempt", dictionary: &["s.", ".", "="], run: sealed::attempt },
    Target { name: "posted", dictionary: &["s.", ".", "="], run: sealed::posted },
    Target { name: "jwt", dictionary: sealed::JWT, run: sealed::jwt },
    Target {
        name: "email",
        dictionary: email_and_language::ADDRESSES,
        run: email_and_language::email,
    },
    Target {
        name: "language",
        dictionary: email_and_language::LANGUAGES,
        run: email_and_language::language,
    },
    Target { name: "devices", dictionary: responses::DEVICES, run: responses::devices },
    Target { name: "bearer", dictionary: sealed::JWT, run: responses::bearer },
    Target { name: "form-token", dictionary: &["=", ".", "A", "%00"], run: responses::form_token },
    Target { name: "logout", dictionary: responses::QUERIES, run: responses::logout },
    Target { name: "switch", dictionary: responses::QUERIES, run: responses::switch },
    Target { name: "if-none-match", dictionary: responses::TAGS, run: responses::if_none_match },
    Target { name: "typed-code", dictionary: typed_input::CODES, run: typed_input::code },
    Target { name: "password", dictionary: typed_input::PASSWORDS, run: typed_input::password },
];

impl Target {
    /// The kept inputs: relevant seeds, and every input that once broke a property.
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let folder = corpus_dir().join(self.name);
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).expect("a file")).collect()
    }
}

/// The folder of the corpus.
pub fn corpus_dir() -> PathBuf {
    crate::workspace_root().join("tests/corpus")
}
