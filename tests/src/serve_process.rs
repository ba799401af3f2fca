//! `idp serve` as a process, configured by a file, on either engine.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use flows::client::AuthMethod;
use store::DbConfig;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    client::Client,
    db::{Engine, TestDb},
    http::HttpBrowser,
    mail_server::MailServer,
    proc::{ChildProcess, idp_command, run},
    tls::CertificateAuthority,
};

/// A configuration of `serve` with its mail server.
#[derive(Debug)]
pub struct ServeSetup {
    /// The mail server.
    pub mail: Arc<MailServer>,
    folder: TempDir,
    port: u16,
    database: DbConfig,
    authority: Option<CertificateAuthority>,
}

/// A complete configuration.
pub fn config_toml(
    issuer: &str,
    database: &str,
    redis: Option<&str>,
    mail: &MailServer,
    root: &Path,
) -> String {
    let ephemeral = redis.map_or_else(String::new, |url| format!("[ephemeral]\nurl = \"{url}\"\n"));
    let port = issuer.rsplit(':').next().unwrap_or_default();
    format!(
        "issuer = \"{issuer}\"\n\
         [listen]\npublic = \"127.0.0.1:{port}\"\nops = \"127.0.0.1:0\"\n\
         [limits]\nconnections_per_network = 4096\nrequests = 16000\nrequests_per_network = 16000\n\
         [database]\nurl = \"{database}\"\n\
         {ephemeral}{smtp}\
         [brand]\nhome = \"{home}\"\n\
         [[keys.root_file]]\nid = \"test\"\nfile = \"{root}\"\n",
        smtp = crate::app::smtp_toml(mail),
        home = crate::app::HOME,
        root = root.display(),
    )
}

impl ServeSetup {
    /// Writes the configuration for a database.
    pub async fn prepare(engine: Engine, db: &TestDb) -> Self {
        Self::with(engine, db, None).await
    }

    /// The same over TLS, with a certificate for the issuer's name.
    pub async fn over_tls(engine: Engine, db: &TestDb) -> Self {
        Self::with(engine, db, Some(CertificateAuthority::new())).await
    }

    async fn with(engine: Engine, db: &TestDb, authority: Option<CertificateAuthority>) -> Self {
        let mail = Arc::new(MailServer::start().await);
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().join("root.key");
        crate::tls::write_private_file(&root, &[7; 32]);
        let port = crate::shared_servers::free_port();
        let new = Self { mail, folder, port, database: db.config().clone(), authority };
        let redis = engine.redis_url();
        let mut text = config_toml(&new.issuer(), &db.url(), redis.as_deref(), &new.mail, &root);
        if let Some(authority) = &new.authority {
            let files = authority.write(&authority.issue(&["localhost"]));
            let (cert, key) = (files.cert.display(), files.key.display());
            text = format!("{text}[tls]\ncert = \"{cert}\"\nkey = \"{key}\"\n");
        }
        crate::tls::write_private_file(&new.config_file(), text.as_bytes());
        new
    }

    /// The issuer.
    pub fn issuer(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.port)
    }

    /// A browser without cookies, at a replica.
    pub fn browser_at(&self, address: SocketAddr) -> HttpBrowser {
        match &self.authority {
            Some(authority) => HttpBrowser::over_tls_at(&self.issuer(), &authority.pem(), address),
            None => HttpBrowser::new_at(&self.issuer(), address),
        }
    }

    /// The port of the issuer.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("idp.toml")
    }

    /// A command with the same configuration.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = idp_command();
        command.args(args).arg("--config").arg(self.config_file());
        command
    }

    /// A command that changes the same data, with a reason.
    pub fn change_command(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.args(["--reason", "test"]);
        command
    }

    /// Registers a first-party client `portal` of the web profile, as an operator would.
    pub async fn add_portal(&self, redirect_uri: &str) -> Client {
        self.add_client("portal", redirect_uri).await
    }

    /// The same with another client id.
    pub async fn add_client(&self, id: &str, redirect_uri: &str) -> Client {
        let add = ["client", "add", id, "--profile", "web", "--first-party", "--json"];
        let mut command = self.change_command(&add);
        command.args(["--redirect-uri", redirect_uri]);
        let added: serde_json::Value = serde_json::from_str(&run(command, "").await).expect("JSON");
        Client {
            id: id.to_owned(),
            secret: added["client_secret"].as_str().map(str::to_owned),
            redirect_uri: redirect_uri.to_owned(),
            auth_method: AuthMethod::Basic,
        }
    }

    /// The configuration of its database.
    pub fn database(&self) -> DbConfig {
        self.database.clone()
    }

    /// The address of its first replica.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Starts another replica of the same provider on its own port, and waits until it answers.
    pub async fn start_replica(&self) -> (ChildProcess, SocketAddr) {
        let address = SocketAddr::from(([127, 0, 0, 1], crate::shared_servers::free_port()));
        (self.start_replica_at(address).await, address)
    }

    /// The same on a given port.
    pub async fn start_replica_at(&self, address: SocketAddr) -> ChildProcess {
        let mut command = self.command(&["serve"]);
        command.env("IDP__LISTEN__PUBLIC", address.to_string());
        // On a busy machine a mail that times out would be sent again.
        command.env("IDP__SMTP__TIMEOUT", "20s");
        let serve = ChildProcess::spawn(command);
        let browser = self.browser_at(address);
        serve.wait_until_answering(&browser).await;
        serve
    }

    /// Starts `serve` and waits until it answers.
    pub async fn serve(&self) -> ChildProcess {
        self.serve_with(|command| command).await
    }

    /// The same with changes to the command.
    pub async fn serve_with(&self, change: impl FnOnce(Command) -> Command) -> ChildProcess {
        let serve = ChildProcess::spawn(change(self.command(&["serve"])));
        serve.wait_until_answering(&self.browser_at(self.address())).await;
        serve
    }
}
