//! Every parser that a stranger reaches, each as a function from bytes to a property that must hold whatever the bytes are.
//!
//! `scripts/fuzz` runs them for minutes on inputs that it makes from the corpus; `tests/it/fuzz.rs` replays the corpus with
//! each test run. A target panics when its property does not hold, and the panic says what it was.

mod answers;
mod mutate;
mod people;
mod requests;
mod sealed;
mod typed;

use std::path::PathBuf;

pub use mutate::Mutator;

use crate::{app::TestApp, client::Client, db::Engine, http::HttpBrowser};

/// What targets work on.
#[derive(Debug)]
pub struct Ground {
    app: TestApp,
    browser: HttpBrowser,
    sealed: sealed::Genuine,
    runtime: tokio::runtime::Handle,
}

impl Ground {
    /// A provider with a client of each kind.
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
        // Nobody is to be told to wait instead of being judged.
        app.set("sign_in.posts_per_minute", "1000000").await;
        let sealed = sealed::Genuine::make(&app, &portal).await;
        let browser = app.browser();
        Self { app, browser, sealed, runtime: tokio::runtime::Handle::current() }
    }

    /// Waits for a flow. Targets are plain functions, on a thread of their own.
    fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }
}

/// One parser.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in `tests/corpus`.
    pub name: &'static str,
    /// Pieces that its inputs are made of.
    pub words: &'static [&'static str],
    /// Holds the property against an input.
    pub run: fn(&Ground, &[u8]),
}

/// Every target.
pub const TARGETS: [Target; 18] = [
    Target {
        name: "params",
        words: &["=", "&", "%", "%00", "+", "%C4%81", "a"],
        run: requests::params,
    },
    Target { name: "authorize", words: requests::WORDS, run: requests::authorize },
    Target { name: "cookies", words: requests::COOKIES, run: requests::cookies },
    Target { name: "forwarded", words: requests::HOPS, run: requests::forwarded },
    Target { name: "basic", words: &["Basic ", "Og==", "=", "%3A", ":"], run: requests::basic },
    Target { name: "attempt", words: &["s.", ".", "="], run: sealed::attempt },
    Target { name: "posted", words: &["s.", ".", "="], run: sealed::posted },
    Target { name: "jwt", words: sealed::JWT, run: sealed::jwt },
    Target { name: "email", words: people::ADDRESSES, run: people::email },
    Target { name: "language", words: people::LANGUAGES, run: people::language },
    Target { name: "devices", words: answers::DEVICES, run: answers::devices },
    Target { name: "bearer", words: sealed::JWT, run: answers::bearer },
    Target { name: "form-token", words: &["=", ".", "A", "%00"], run: answers::form_token },
    Target { name: "logout", words: answers::QUERIES, run: answers::logout },
    Target { name: "switch", words: answers::QUERIES, run: answers::switch },
    Target { name: "if-none-match", words: answers::TAGS, run: answers::if_none_match },
    Target { name: "typed-code", words: typed::CODES, run: typed::code },
    Target { name: "password", words: typed::PASSWORDS, run: typed::password },
];

impl Target {
    /// The inputs that are kept: seeds that matter, and whatever once broke a property.
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let folder = folder().join(self.name);
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).expect("a file")).collect()
    }
}

/// Where the corpus is.
pub fn folder() -> PathBuf {
    crate::root().join("tests/corpus")
}
