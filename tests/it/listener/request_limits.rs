//! Requests that wait for their clients, by the thousand: memory stays bounded, another network signs in meanwhile, and
//! everything is given back.

use vestibule_tests::{
    app::Patient,
    client::Client,
    crowd::reference_on_page,
    db::{Engine, TestDb},
    proc::{ChildProcess, run},
    serve_process::ServeSetup,
    wait::until,
};

use super::{
    http2_frames::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, SETTINGS, frame},
    raw_client::RawConnection,
};

const EMAIL: &str = "mere@patients.example";
const PASSWORD: &str = "a long enough passphrase";

/// `SETTINGS_INITIAL_WINDOW_SIZE` of 0: no answer can be sent.
const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];

/// `limits.streams`.
const STREAMS: u32 = 16;
/// By how much the memory of the process may grow, in MiB: while one address has all its connections, and an IPv6 /48 its
/// 1024.
const ADDRESS_GROWTH: u64 = 64;
const SLASH48_GROWTH: u64 = 128;

/// What each request of an attacker waits for.
#[derive(Clone, Copy, Debug)]
enum WaitsFor {
    /// A body that never begins.
    Body,
    /// The rest of a body.
    Rest,
    /// Its answer, which the client does not take.
    Reader,
}

/// The head of a request: literal names and values without Huffman coding (RFC 7541, section 6.2.2).
fn head(host: &str, waits_for: WaitsFor, client: Option<&str>) -> Vec<u8> {
    let (method, path) = match waits_for {
        WaitsFor::Reader => (0x82, "/nothing/is/here"),
        WaitsFor::Body | WaitsFor::Rest => (0x83, "/oauth2/token"),
    };
    let literal =
        |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    let mut block = vec![method, 0x86, 0x04];
    block.extend(literal(path));
    block.push(0x01);
    block.extend(literal(host));
    let kind = ("content-type", "application/x-www-form-urlencoded");
    for (name, value) in
        [Some(kind), client.map(|client| ("x-forwarded-for", client))].into_iter().flatten()
    {
        block.push(0);
        block.extend(literal(name));
        block.extend(literal(value));
    }
    block
}

/// All that one connection of an attacker sends.
fn requests(host: &str, waits_for: WaitsFor, client: Option<&str>) -> Vec<u8> {
    let is_read = !matches!(waits_for, WaitsFor::Reader);
    let mut sent = PREFACE.to_vec();
    sent.extend(frame(SETTINGS, 0, 0, if is_read { &[] } else { NO_WINDOW }));
    let block = head(host, waits_for, client);
    for stream in (0..STREAMS).map(|nth| 2 * nth + 1) {
        let end = if is_read { END_HEADERS } else { END_HEADERS | END_STREAM };
        sent.extend(frame(HEADERS, end, stream, &block));
    }
    if matches!(waits_for, WaitsFor::Rest) {
        // What the window of the connection takes: 64 KiB.
        for stream in [1, 3, 5] {
            sent.extend(frame(DATA, 0, stream, &[b'a'; 16_000]));
        }
    }
    sent
}

fn patient() -> Patient {
    Patient { email: EMAIL.to_owned(), password: PASSWORD.to_owned(), name: String::new() }
}

struct Attacked {
    served: ServeSetup,
    portal: Client,
    serve: ChildProcess,
}

impl Attacked {
    /// A process with the limits that an operator gets.
    async fn start(db: &TestDb) -> Self {
        let served = ServeSetup::prepare(Engine::Sqlite, db).await;
        run(served.change_command(&["user", "add", EMAIL, "--password-stdin"]), PASSWORD).await;
        for name in ["sign_in.sends_per_day", "sign_in.sends_per_hour"] {
            run(served.change_command(&["setting", "set", name, "1000"]), "").await;
        }
        let portal = served.add_portal("https://portal.example/callback").await;
        let serve = served
            .serve_with(|mut command| {
                for (key, value) in [
                    ("REQUESTS", "2000"),
                    ("REQUESTS_PER_NETWORK", "128"),
                    ("CONNECTIONS_PER_NETWORK", "256"),
                    ("BODY_TIME", "5s"),
                    ("IDLE_TIME", "5s"),
                ] {
                    command.env(format!("IDP__LIMITS__{key}"), value);
                }
                command.env("IDP__PROXIES__TRUSTED", "127.0.0.9/32");
                // Each thread keeps a buffer of 19 MiB after its first hash.
                command.env("IDP__HASHING__THREADS", "1");
                command
            })
            .await;
        Self { served, portal, serve }
    }

    /// Resident memory in MiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.serve.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a figure");
        let kib = line.split_whitespace().nth(1).expect("a number");
        kib.parse::<u64>().expect("a number") / 1024
    }

    /// Opens connections from an address, each full of requests. `client` names the client of each behind a proxy.
    async fn attack(
        &self,
        own: &str,
        many: usize,
        waits_for: WaitsFor,
        client: impl Fn(usize) -> Option<String>,
    ) -> Vec<RawConnection> {
        let host = format!("localhost:{}", self.served.port());
        let mut all = Vec::new();
        for nth in 0..many {
            let mut one = RawConnection::connect_from(own, self.served.address()).await;
            one.send(&requests(&host, waits_for, client(nth).as_deref())).await;
            all.push(one);
        }
        all
    }

    /// A person signs in from another network.
    async fn sign_in(&self) {
        let browser = self.served.browser_at(self.served.address());
        let (page, pending) = browser.open_sign_in_page(&self.portal).await;
        let before = self.served.mail.count(EMAIL);
        let page = browser.submit_password(&page, &patient()).await;
        let reference = reference_on_page(&page).unwrap_or_else(|| panic!("{}", page.text()));
        let code = self.served.mail.wait_for_code_in(EMAIL, &reference, before).await;
        browser.submit_code(&page, &code).await.authorization_response(pending).code();
    }

    /// A request of the attacker's own network is answered by its handler again.
    async fn wait_until_given_back(&self, own: &str) {
        let host = format!("localhost:{}", self.served.port());
        let post = format!(
            "POST /oauth2/token HTTP/1.1\r\nhost: {host}\r\ncontent-length: 3\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n"
        );
        let answered = async || {
            let mut one = RawConnection::connect_from(own, self.served.address()).await;
            // The body comes later than the head: the request waits for its client first.
            one.write(&post).await;
            one.write("a=b").await;
            let answer = one.read_response().await;
            if answer.starts_with("HTTP/1.1 401") { Ok(()) } else { Err(answer) }
        };
        until("the network is answered again", answered).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_requests_use_bounded_memory() {
    let db = TestDb::create(Engine::Sqlite).await;
    let attacked = Attacked::start(&db).await;
    // Buffers for hashing, statements and templates are there from now on.
    attacked.sign_in().await;
    let before = attacked.memory();
    for waits_for in [WaitsFor::Body, WaitsFor::Rest, WaitsFor::Reader] {
        let held = attacked.attack("127.0.0.2", 256, waits_for, |_| None).await;
        attacked.serve.wait_for_output("wait for their clients; the oldest of this network").await;
        attacked.sign_in().await;
        let after = attacked.memory();
        println!("one address, {waits_for:?}: {before} MiB -> {after} MiB");
        assert!(after <= before + ADDRESS_GROWTH, "{waits_for:?}: {before} -> {after}");
        drop(held);
        attacked.wait_until_given_back("127.0.0.2").await;
    }
    // The allocator gives back what is not used, after a while.
    let settled = async || {
        let now = attacked.memory();
        if now <= before + ADDRESS_GROWTH / 4 { Ok(()) } else { Err(now) }
    };
    until("memory is given back", settled).await;
    // Not answers that are not read: a proxy reads what it has asked for.
    for waits_for in [WaitsFor::Body, WaitsFor::Rest] {
        let client = |nth: usize| Some(format!("2001:db8:1:{nth:x}::1"));
        let held = attacked.attack("127.0.0.9", 1024, waits_for, client).await;
        attacked.sign_in().await;
        let after = attacked.memory();
        println!("an IPv6 /48, {waits_for:?}: {before} MiB -> {after} MiB");
        assert!(after <= before + SLASH48_GROWTH, "{waits_for:?}: {before} -> {after}");
        drop(held);
    }
    attacked.wait_until_given_back("127.0.0.2").await;
}
