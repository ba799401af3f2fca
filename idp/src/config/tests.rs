//! Tests of every key and of every refusal.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;

const WHOLE: &str = r##"
issuer = "https://login.example.org"
replicas = 3
[listen]
public = "[::]:443"
ops = "127.0.0.1:9999"
[database]
url = "postgres://idp:pg-canary@db/idp"
max_connections = 40
[ephemeral]
url = "rediss://:redis-canary@redis:6380"
[smtp]
host = "mail.example.org"
port = 2525
tls = "tls"
username = "idp"
password = "smtp-canary"
from_address = "codes@login.example.org"
from_name = "Example Health"
timeout = "10s"
connections = 24
[[keys.root_file]]
id = "2026b"
file = "/run/secrets/root-b"
[[keys.root_file]]
id = "2026a"
file = "/run/secrets/root-a"
[hashing]
threads = 3
queue = 50
wait = "2s"
[proxies]
trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.7"]
[brand]
name = "Example Portal"
home = "https://www.example.org/"
logo = "/etc/vestibule/logo.png"
colour = "#005eb8"
support = "0800 000 000"
time_zone = "Pacific/Chatham"
[brand.links]
privacy = "https://www.example.org/privacy"
accessibility = "https://www.example.org/accessibility"
terms = "https://www.example.org/terms"
[log]
format = "text"
level = "debug"
[telemetry]
otlp_endpoint = "http://collector.internal:4318"
sample_ratio = 0.25
[shutdown]
delay = "5s"
grace = "1m 30s"
[tls]
cert = "/run/tls/tls.crt"
key = "/run/tls/tls.key"
[limits]
connections = 9000
connections_per_network = 100
requests = 1000
requests_per_network = 500
handshake_time = "5s"
header_time = "6s"
body_time = "7s"
idle_time = "2m"
header_size = 32768
streams = 100
"##;

const LEAST: [(&str, &str); 6] = [
    ("IDP__ISSUER", "http://localhost:8080"),
    ("IDP__DATABASE__URL", "sqlite:data/idp.db"),
    ("IDP__SMTP__HOST", "mail.example.org"),
    ("IDP__SMTP__FROM_ADDRESS", "codes@example.org"),
    ("IDP__BRAND__HOME", "https://www.example.org"),
    ("IDP__KEYS__ROOT_FILE", "2026a=/run/root-a"),
];

/// A folder that is deleted when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let nth = NEXT.fetch_add(1, Ordering::SeqCst);
        let path =
            std::env::temp_dir().join(format!("vestibule-config-{}-{nth}", std::process::id()));
        let _leftover = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn vars(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let owned: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    owned.into_iter()
}

fn with_file(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let folder = Folder::new();
    Config::load(Some(&folder.file("idp.toml", text)), vars(env))
}

/// The minimal configuration, with some variables changed.
fn least_and(env: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::load(None, vars(&LEAST).chain(vars(env)))
}

/// The only problem that one changed variable causes.
fn problem(name: &str, value: &str) -> String {
    let refused = least_and(&[(name, value)]).unwrap_err();
    assert_eq!(refused.problems().len(), 1, "{refused}");
    refused.to_string()
}

#[test]
fn complete_file_is_read() {
    let config = with_file(WHOLE, &[]).unwrap();
    assert_eq!(config.issuer.as_str(), "https://login.example.org");
    assert_eq!(
        config.issuer.absolute_url("/oauth2/token"),
        "https://login.example.org/oauth2/token"
    );
    assert!(config.issuer.is_https());
    assert_eq!(config.listen.public.port(), 443);
    let store::DbConfig::Postgres { url, max_connections: 40 } = config.database.db_config() else {
        panic!("{:?}", config.database)
    };
    assert_eq!(url, "postgres://idp:pg-canary@db/idp");
    let redis = EphemeralUrl::Redis(Secret::new("rediss://:redis-canary@redis:6380".to_owned()));
    assert_eq!(config.ephemeral.url, redis);
    assert_eq!((config.smtp.port, config.smtp.tls), (2525, SmtpTls::Tls));
    assert_eq!(config.smtp.credentials.as_ref().unwrap().password.reveal(), "smtp-canary");
    assert_eq!((config.smtp.timeout, config.smtp.connections), (Duration::from_secs(10), 24));
    let ids: Vec<_> = config.keys.root_file.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["2026b", "2026a"]);
    assert_eq!((config.hashing.threads, config.hashing.queue), (3, 50));
    assert_eq!(config.hashing.wait, Duration::from_secs(2));
    assert_eq!(config.brand.support.as_deref(), Some("0800 000 000"));
    assert_eq!(config.brand.home.as_str(), "https://www.example.org/");
    let links = config.brand.links;
    let links = [links.privacy, links.accessibility, links.terms].map(|link| link.unwrap());
    let paths = links.each_ref().map(url::Url::path);
    assert_eq!(paths, ["/privacy", "/accessibility", "/terms"]);
    assert_eq!(config.brand.logo.as_deref(), Some(Path::new("/etc/vestibule/logo.png")));
    assert_eq!(config.brand.colour.unwrap().to_string(), "#005eb8");
    assert_eq!(config.brand.time_zone.iana_name(), Some("Pacific/Chatham"));
    assert_eq!(config.log, LogConfig { format: LogFormat::Text, level: LogLevel::Debug });
    let seconds = Duration::from_secs;
    assert_eq!(config.shutdown, ShutdownConfig { delay: seconds(5), grace: seconds(90) });
    let tls = config.tls.unwrap();
    assert_eq!(tls.cert, Path::new("/run/tls/tls.crt"));
    assert_eq!(tls.key, Path::new("/run/tls/tls.key"));
    assert_eq!(config.replicas, 3);
    let limits = LimitsConfig {
        connections: 9000,
        connections_per_network: 100,
        requests: 1000,
        requests_per_network: 500,
        handshake_time: seconds(5),
        header_time: seconds(6),
        body_time: seconds(7),
        idle_time: seconds(120),
        header_size: 32 * 1024,
        streams: 100,
    };
    assert_eq!(config.limits, limits);
    let endpoint = config.telemetry.otlp_endpoint.as_ref().map(url::Url::as_str);
    assert_eq!(endpoint, Some("http://collector.internal:4318/"));
    assert_eq!(config.telemetry.sample_ratio.to_string(), "0.25");
}

#[test]
fn environment_alone_uses_defaults() {
    let config = least_and(&[("PATH", "/bin"), ("IDP_CONFIG", "not ours")]).unwrap();
    assert_eq!(config.listen.public.to_string(), "0.0.0.0:8080");
    assert_eq!(config.listen.ops.to_string(), "127.0.0.1:9090");
    assert_eq!(config.database.url, DatabaseUrl::Sqlite(PathBuf::from("data/idp.db")));
    assert_eq!(config.ephemeral.url, EphemeralUrl::Memory);
    assert_eq!((config.smtp.port, config.smtp.tls), (587, SmtpTls::StartTls));
    assert_eq!(config.smtp.from_name, "Vestibule");
    assert!(config.smtp.credentials.is_none());
    assert_eq!(config.smtp.connections, 8);
    assert_eq!(config.keys.root_file[0].file, Path::new("/run/root-a"));
    assert!(config.hashing.threads >= 1);
    assert_eq!(config.hashing.wait, Duration::from_secs(5));
    assert_eq!(config.brand.time_zone.iana_name(), Some("Pacific/Auckland"));
    assert_eq!((config.tls, config.replicas), (None, 1));
    assert_eq!(config.limits, LimitsConfig::default());
    assert_eq!(config.shutdown.delay, Duration::ZERO);
    assert_eq!(config.log, LogConfig { format: LogFormat::Json, level: LogLevel::Info });
}

#[test]
fn environment_overrides_file() {
    let folder = Folder::new();
    let secret = folder.file("password", "from a file\n").display().to_string();
    let env = [
        ("IDP__SMTP__PORT", "465"),
        ("IDP__SMTP__PASSWORD_FILE", secret.as_str()),
        ("IDP__PROXIES__TRUSTED", "198.51.100.0/24, 203.0.113.9"),
        ("IDP__BRAND__NAME", "12345"),
    ];
    let config = with_file(WHOLE, &env).unwrap();
    assert_eq!(config.smtp.port, 465);
    assert_eq!(config.smtp.credentials.unwrap().password.reveal(), "from a file");
    assert_eq!(config.brand.name, "12345");
    let trusts = |text: &str| config.proxies.trusts(text.parse::<IpAddr>().unwrap());
    assert!(trusts("198.51.100.77") && trusts("203.0.113.9") && trusts("::ffff:203.0.113.9"));
    assert!(!trusts("203.0.113.10") && !trusts("10.1.1.1"));
}

#[test]
fn missing_config_names_required_keys() {
    let refused = Config::load(None, std::iter::empty()).unwrap_err();
    let keys: Vec<_> = refused.problems().iter().map(|problem| problem.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "brand.home",
            "database.url",
            "issuer",
            "keys.root_file",
            "smtp.from_address",
            "smtp.host"
        ]
    );
    for line in refused.to_string().lines() {
        assert!(line.contains(": is missing; set it to "), "{line}");
    }
}

#[test]
fn all_problems_are_reported_together() {
    let text = WHOLE
        .replace("port = 2525", "port = \"many\"")
        .replace("grace = \"1m 30s\"", "grace = \"90\"")
        .replace("max_connections", "max_conections");
    let refused = with_file(&text, &[("IDP__LOG__LEVEL", "loud")]).unwrap_err().to_string();
    let lines: Vec<_> = refused.lines().collect();
    assert_eq!(
        lines,
        [
            "database.max_conections: is not a key of Vestibule; [database] has max_connections, url, url_file",
            "log.level: `loud` is not one of `error`, `warn`, `info`, `debug`, `trace` (set by IDP__LOG__LEVEL)",
            "shutdown.grace: `90` is not a duration; write a number with its unit, such as `30s` or `15m`",
            "smtp.port: `many` is not a number from 1 to 65535",
        ]
    );
}

#[test]
fn unknown_keys_are_refused() {
    let text = with_file(&format!("smpt.host = \"x\"\n{WHOLE}"), &[]).unwrap_err().to_string();
    assert!(
        text.starts_with("smpt.host: is not a key of Vestibule; there are brand, database"),
        "{text}"
    );
    let text = problem("IDP__SMTP__HOTS", "x");
    assert!(
        text.starts_with("smtp.hots: is not a key") && text.ends_with("(set by IDP__SMTP__HOTS)")
    );
    assert!(problem("IDP__TLS", "x").starts_with("tls: is not a key"));
    let text =
        with_file(&WHOLE.replace("issuer = ", "issuer.name = "), &[]).unwrap_err().to_string();
    assert!(
        text.contains("issuer: is missing") && text.contains("issuer.name: is not a key"),
        "{text}"
    );
}

#[test]
fn issuer_format_is_enforced() {
    for good in [
        "https://a.example",
        "https://a.example:8443",
        "http://localhost:8080",
        "http://127.0.0.1:1",
        "http://[::1]:8080",
    ] {
        assert_eq!(Issuer::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "http://a.example",
        "https://a.example/",
        "https://a.example/idp",
        "https://a.example?x=1",
        "https://a.example#x",
        "https://u:p@a.example",
        "https://A.example",
        "https://a.example:443",
        "ftp://a.example",
        "a.example",
        "http://localhost.example",
        "https://a.example/?",
    ] {
        assert!(Issuer::parse(bad).is_err(), "{bad}");
    }
    let text = problem("IDP__ISSUER", "https://a.example/");
    assert!(
        text.contains("issuer: must be scheme, host and port alone")
            && text.contains("`https://a.example`")
    );
}

#[test]
fn each_wrong_value_names_its_key() {
    let cases = [
        ("IDP__LISTEN__PUBLIC", "8080", "listen.public: `8080` is not an address with a port"),
        ("IDP__LISTEN__OPS", "0.0.0.0:8080", "listen.ops: is the address of listen.public"),
        ("IDP__DATABASE__URL", "mysql://db", "database.url: must be `sqlite:PATH` or"),
        ("IDP__DATABASE__URL", "sqlite::memory:", "database.url: must name a file"),
        (
            "IDP__DATABASE__MAX_CONNECTIONS",
            "0",
            "database.max_connections: `0` is not a number from 1",
        ),
        ("IDP__EPHEMERAL__URL", "memcached://x", "ephemeral.url: must be `memory`"),
        ("IDP__SMTP__HOST", "smtp://mail", "smtp.host: must be the name of a server"),
        ("IDP__SMTP__HOST", " ", "smtp.host: is empty"),
        ("IDP__SMTP__TLS", "none", "smtp.tls: `none` sends codes in the clear"),
        ("IDP__SMTP__TLS", "maybe", "smtp.tls: `maybe` is not one of"),
        ("IDP__TLS__CERT", "x.pem", "tls.key: is missing while tls.cert is set"),
        ("IDP__TLS__KEY", "x.key", "tls.cert: is missing while tls.key is set"),
        ("IDP__LIMITS__STREAMS", "0", "limits.streams: `0` is not a number from 1"),
        ("IDP__LIMITS__HEADER_SIZE", "100", "limits.header_size: `100` is not a number from 8192"),
        ("IDP__LIMITS__BODY_TIME", "0s", "limits.body_time: `0s` is out of range"),
        ("IDP__REPLICAS", "0", "replicas: `0` is not a number from 1"),
        ("IDP__SMTP__USERNAME", "idp", "smtp.password: is missing while smtp.username is set"),
        ("IDP__SMTP__PASSWORD", "x", "smtp.username: is missing while smtp.password is set"),
        ("IDP__SMTP__FROM_ADDRESS", "Codes <a@b.c>", "smtp.from_address: is not an e-mail address"),
        ("IDP__SMTP__FROM_NAME", "a\r\nBcc: x@y.z", "smtp.from_name: has a line break"),
        ("IDP__SMTP__TIMEOUT", "1h", "smtp.timeout: `1h` is out of range; use 1s to 5m"),
        ("IDP__KEYS__ROOT_FILE", "/run/root", "keys.root_file: must be written `id=path,id=path`"),
        ("IDP__KEYS__ROOT_FILE", "A=/run/root", "keys.root_file: `A` is not a key id"),
        ("IDP__KEYS__ROOT_FILE", "a=/x,a=/y", "keys.root_file: names `a` twice"),
        ("IDP__HASHING__THREADS", "0", "hashing.threads: `0` is not a number from 1 to 256"),
        ("IDP__HASHING__WAIT", "-5s", "hashing.wait: `-5s` is not a duration"),
        ("IDP__PASSKEYS__RP_ID", "org", "passkeys.rp_id: `org` is neither the host of `issuer`"),
        ("IDP__PASSKEYS__APPLE_APPS", "x", "passkeys.apple_apps: `x` must be written"),
        ("IDP__PROXIES__TRUSTED", "10.0.0.0/33", "proxies.trusted: `10.0.0.0/33` is not a network"),
        ("IDP__PROXIES__TRUSTED", "0.0.0.0/0", "proxies.trusted: `0.0.0.0/0` trusts every address"),
        ("IDP__BRAND__TIME_ZONE", "NZ/Here", "brand.time_zone: `NZ/Here` is not a known time zone"),
        ("IDP__BRAND__HOME", "portal.example", "brand.home: `portal.example` is not an address"),
        (
            "IDP__BRAND__HOME",
            "http://portal.example",
            "brand.home: `http://portal.example` must begin",
        ),
        ("IDP__BRAND__HOME", "https://a:b@portal.example", "brand.home: has a user name"),
        (
            "IDP__BRAND__LINKS__TERMS",
            "javascript:1",
            "brand.links.terms: `javascript:1` must begin",
        ),
        ("IDP__BRAND__COLOUR", "#ffcc00", "brand.colour: `#ffcc00` is too pale to be read"),
        ("IDP__BRAND__COLOUR", "green", "brand.colour: `green` is not a colour"),
        ("IDP__BRAND__NAME", "a\tb", "brand.name: has a line break"),
        (
            "IDP__BRAND__NAME",
            "https://health.example",
            "brand.name: `https://health.example` would make",
        ),
        (
            "IDP__TELEMETRY__OTLP_ENDPOINT",
            "collector:4318",
            "telemetry.otlp_endpoint: is not the address of a collector",
        ),
        (
            "IDP__TELEMETRY__OTLP_ENDPOINT",
            "http://u:p@c:1",
            "telemetry.otlp_endpoint: is not the address of a collector",
        ),
        (
            "IDP__TELEMETRY__SAMPLE_RATIO",
            "2",
            "telemetry.sample_ratio: `2` is not a share from 0 to 1",
        ),
        ("IDP__LOG__FORMAT", "xml", "log.format: `xml` is not one of"),
        ("IDP__SHUTDOWN__GRACE", "0s", "shutdown.grace: `0s` is out of range; use 1s to 10m"),
    ];
    for (name, value, expected) in cases {
        let text = problem(name, value);
        assert!(text.starts_with(expected), "{name}={value}: {text}");
    }
}

#[test]
fn plain_smtp_is_loopback_only() {
    for host in ["localhost", "127.0.0.1", "::1"] {
        let env = [("IDP__SMTP__TLS", "none"), ("IDP__SMTP__HOST", host)];
        assert_eq!(least_and(&env).unwrap().smtp.port, 25);
    }
}

#[test]
fn secrets_are_read_from_files() {
    let folder = Folder::new();
    let url = folder.file("url", "postgres://idp:canary@db/idp\r\n").display().to_string();
    let text = WHOLE
        .replace("url = \"postgres://idp:pg-canary@db/idp\"", &format!("url_file = \"{url}\""));
    let config = with_file(&text, &[]).unwrap();
    let expected = Secret::new("postgres://idp:canary@db/idp".to_owned());
    assert_eq!(config.database.url, DatabaseUrl::Postgres(expected));

    let both = with_file(
        &WHOLE.replace("[ephemeral]", &format!("[ephemeral]\nurl_file = \"{url}\"")),
        &[],
    );
    assert!(
        both.unwrap_err()
            .to_string()
            .contains("ephemeral.url: is also given by ephemeral.url_file")
    );
    let missing =
        with_file(WHOLE, &[("IDP__SMTP__PASSWORD_FILE", "/nowhere")]).unwrap_err().to_string();
    assert!(missing.starts_with("smtp.password_file: /nowhere cannot be read"), "{missing}");
    let empty = folder.file("empty", "\n").display().to_string();
    let empty = with_file(WHOLE, &[("IDP__SMTP__PASSWORD_FILE", &empty)]).unwrap_err().to_string();
    assert!(empty.contains("is empty; write the secret into it"), "{empty}");
}

#[test]
fn root_key_entries_need_two_members() {
    for (from, to) in
        [("id = \"2026b\"", "name = \"2026b\""), ("id = \"2026b\"", "id = \"2026b\"\nkey = \"x\"")]
    {
        let text = with_file(&WHOLE.replace(from, to), &[]).unwrap_err().to_string();
        assert!(text.starts_with("keys.root_file: each entry must have `id` and `file`"), "{text}");
    }
    let text =
        with_file(&format!("keys.root_file = []\n{}", WHOLE.split("[[keys").next().unwrap()), &[]);
    assert!(text.unwrap_err().to_string().contains("keys.root_file: is empty"));
    // The form of a variable, in a file.
    for value in ["\"/run/root\"", "\"a=/run/root\""] {
        let text = format!("keys.root_file = {value}\n{}", WHOLE.split("[[keys").next().unwrap());
        let text = with_file(&text, &[]).unwrap_err().to_string();
        let form = "keys.root_file: must be a list such as `[{ id = \"2026a\", file = ";
        assert!(text.contains(form), "{text}");
    }
}

#[test]
fn debug_and_errors_hide_secrets() {
    let shown = format!("{:?}", with_file(WHOLE, &[]).unwrap());
    assert!(!shown.contains("canary"), "{shown}");
    let broken = [
        WHOLE.replace("\"smtp-canary\"", "smtp-canary"),
        WHOLE.replace("postgres://", "postgras://"),
        WHOLE.replace("rediss://", "radiss://"),
        WHOLE.replace("host = \"mail.example.org\"", "host = 5\nhost = \"smtp-canary"),
    ];
    for text in broken {
        let refused = with_file(&text, &[]).unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("canary"), "{refused}");
    }
}

#[test]
fn unreadable_file_error_names_line() {
    let refused = Config::load(Some(Path::new("/nowhere.toml")), std::iter::empty()).unwrap_err();
    assert!(refused.to_string().starts_with("/nowhere.toml: cannot be read"));
    let refused = with_file("issuer = \"x\"\n[smtp\n", &[]).unwrap_err().to_string();
    assert!(refused.contains("idp.toml: ") && refused.contains("line 2"), "{refused}");
}
