//! `idp dev`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use clap::Args;
use serde_json::json;

use super::{CommandError, CommandResult, print};
use crate::dev::run::{self, DevEndpoints, DevOptions};

/// Run everything on this machine.
#[derive(Args, Debug)]
pub(super) struct Dev {
    /// Folder for the data; created at the first start.
    #[arg(long, value_name = "DIR", default_value = "dev-data")]
    data_dir: PathBuf,
    /// Address of the provider, or its port on 127.0.0.1; port 0 picks a free one.
    #[arg(long, alias = "port", value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = parse_address)]
    listen: SocketAddr,
    /// Address of health and readiness.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090", value_parser = parse_address)]
    ops_listen: SocketAddr,
    /// Address of the demo portal.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081", value_parser = parse_address)]
    portal_listen: SocketAddr,
    /// Print one line of JSON once everything answers.
    #[arg(long)]
    json: bool,
}

/// An address with a port, or a port of this machine.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let local = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    text.parse::<u16>().map(local).or_else(|_| text.parse()).map_err(|_| {
        format!(
            "`{text}` is not a port or an address with one; write it as `8080` or `127.0.0.1:8080`"
        )
    })
}

impl Dev {
    pub(super) async fn run(self) -> CommandResult {
        let options = DevOptions {
            data_dir: self.data_dir,
            listen: self.listen,
            ops_listen: self.ops_listen,
            portal_listen: self.portal_listen,
        };
        let on_ready = if self.json { print_json } else { print_text };
        Box::pin(run::run(options, on_ready)).await.map_err(CommandError::new)
    }
}

fn print_json(ready: &DevEndpoints) {
    let people: Vec<_> = ready
        .people
        .iter()
        .map(|person| json!({ "email": person.email, "password": person.password }))
        .collect();
    print::json(&json!({
        "issuer": ready.issuer,
        "portal": ready.portal,
        "mailbox": ready.mailbox,
        "ops": ready.ops,
        "data_dir": ready.data_dir,
        "people": people,
        "clients": [{
            "client_id": ready.client_id,
            "client_secret": ready.client_secret,
            "redirect_uri": ready.redirect_uri,
        }],
    }));
}

fn print_text(ready: &DevEndpoints) {
    print::line("");
    print::line(&format!("  Demo portal   {}   <- open this and sign in", ready.portal));
    print::line(&format!("  Mailbox       {}   <- codes arrive here", ready.mailbox));
    print::line(&format!("  Issuer        {}", ready.issuer));
    print::line(&format!("  Health        {}/readyz", ready.ops));
    print::line(&format!("  Data          {}", ready.data_dir));
    print::line("");
    for person in &ready.people {
        print::line(&format!("  {:<24} password {}", person.email, person.password));
    }
    print::line("");
    print::line("  Ctrl-C stops it; the data is kept for the next start.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_port_means_this_machine() {
        for (text, address) in [
            ("8080", "127.0.0.1:8080"),
            ("0", "127.0.0.1:0"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(parse_address(text).unwrap().to_string(), address);
        }
        for text in ["", "localhost", "localhost:8080", "127.0.0.1", ":8080", "65536", "-1"] {
            assert!(parse_address(text).unwrap_err().contains("`127.0.0.1:8080`"), "{text}");
        }
    }
}
