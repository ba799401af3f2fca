//! `idp user`.

use std::io::BufRead;

use clap::Subcommand;
use flows::{
    account::create::{self, NewUser},
    email::EmailAddress,
    staff::{find, reset},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{CommandError, CommandResult, change::ChangeArgs, data_source::DataSourceArgs, print};
use crate::clock::rfc3339;

/// Add, show and reset people.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a person; the password is read from standard input.
    Add {
        /// E-mail address, stored as verified.
        email: String,
        /// Full name.
        #[arg(long, default_value = "")]
        name: String,
        /// Read the password from the first line of standard input.
        #[arg(long, required = true)]
        password_stdin: bool,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a person and the latest events.
    Show {
        /// E-mail address.
        email: String,
        #[command(flatten)]
        at: DataSourceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Force a new password: all sessions and grants end, and the next sign-in requires the change.
    Reset {
        /// E-mail address.
        email: String,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Forget every known device of a person: all of them are strangers at their next sign-in.
    ForgetDevices {
        /// E-mail address.
        email: String,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl UserCommand {
    pub(super) async fn run(self) -> CommandResult {
        match self {
            Self::Add { email, name, change, json, .. } => add(&email, name, &change, json).await,
            Self::Show { email, at, json } => show(&email, &at, json).await,
            Self::Reset { email, change, json } => force_reset(&email, &change, json).await,
            Self::ForgetDevices { email, change, json } => {
                forget_devices(&email, &change, json).await
            }
        }
    }
}

pub(super) fn parse_address(text: &str) -> Result<EmailAddress, CommandError> {
    EmailAddress::parse(text).map_err(|bad| CommandError::new(format!("{text}: {bad}")))
}

pub(super) fn unknown_user(email: &EmailAddress) -> CommandError {
    CommandError::new(format!("there is no user with the address {email}"))
}

async fn add(email: &str, name: String, change: &ChangeArgs, json: bool) -> CommandResult {
    let authority = change.authority()?;
    let email = parse_address(email)?;
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    let cx = change.open().await?.cx().await?;
    let new = NewUser { email: email.clone(), name, claims: "{}".to_owned(), password };
    let id = create::create(&cx, &authority, new).await??;
    if json {
        print::json(&json!({ "id": id, "email": email.as_written() }));
    } else {
        print::line(&format!("Added {email}."));
        if email.as_written().rsplit_once('@').is_some_and(|(local, _)| !local.is_ascii()) {
            print::line(
                "Mail reaches this address only through a mail server that has SMTPUTF8 (RFC 6531).",
            );
        }
    }
    Ok(())
}

async fn show(email: &str, at: &DataSourceArgs, json: bool) -> CommandResult {
    let email = parse_address(email)?;
    let cx = at.open().await?.cx().await?;
    let found = find::find_user(&cx, &email).await?.ok_or_else(|| unknown_user(&email))?;
    let user = &found.user;
    let events: Vec<_> = found
        .events
        .iter()
        .map(|event| {
            json!({
                "at": rfc3339(event.at), "event": event.event, "outcome": event.outcome, "actor": event.actor,
                "client": event.client_id, "network": event.network, "reference": event.reference,
            })
        })
        .collect();
    if json {
        print::json(&json!({
            "id": user.id, "subject": user.subject, "email": user.email, "email_verified": user.email_verified,
            "name": user.name, "status": user.status, "created_at": rfc3339(user.created_at),
            "password_change_required_since": user.password_change_required_since.map(rfc3339),
            "events": events,
        }));
        return Ok(());
    }
    print::line(&format!("{} <{}>", user.name, user.email.as_deref().unwrap_or("-")));
    print::line(&format!("status {}", user.status));
    print::line(&format!("added {}", rfc3339(user.created_at)));
    if let Some(since) = user.password_change_required_since {
        print::line(&format!("password change required since {}", rfc3339(since)));
    }
    for event in &found.events {
        let client = event.client_id.as_deref().unwrap_or("-");
        print::line(&format!(
            "{}  {:<22} {:<14} {:<20} {}  {}",
            rfc3339(event.at),
            event.event,
            event.outcome,
            event.actor,
            event.reference,
            client
        ));
    }
    Ok(())
}

async fn force_reset(email: &str, change: &ChangeArgs, json: bool) -> CommandResult {
    let authority = change.authority()?;
    let email = parse_address(email)?;
    let cx = change.open().await?.cx().await?;
    let epoch = reset::force(&cx, &authority, &email).await?.ok_or_else(|| unknown_user(&email))?;
    if json {
        print::json(&json!({ "email": email.as_written(), "epoch": epoch }));
    } else {
        print::line(&format!(
            "{email} is signed out everywhere and will be asked for a new password."
        ));
    }
    Ok(())
}

async fn forget_devices(email: &str, change: &ChangeArgs, json: bool) -> CommandResult {
    let authority = change.authority()?;
    let email = parse_address(email)?;
    let cx = change.open().await?.cx().await?;
    let forgotten = flows::device::forget_all(&cx, &authority, &email).await?;
    let devices = forgotten.ok_or_else(|| unknown_user(&email))?;
    if json {
        print::json(&json!({ "email": email.as_written(), "devices": devices }));
    } else {
        print::line(&format!("{devices} known devices of {email} removed."));
    }
    Ok(())
}
