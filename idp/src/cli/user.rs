//! `idp user`.

use std::{
    fs,
    io::BufRead,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use flows::{
    account::{
        change::{self, UserEdit},
        create::{self, NewUser},
        standard_claims::StandardClaims,
    },
    email::EmailAddress,
    staff::{
        find::{self, UserWithEvents},
        methods::{self, MethodRemoval},
        reset,
    },
};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{CommandError, CommandResult, change::ChangeArgs, data_source::DataSourceArgs, print};
use crate::{clock::rfc3339, locale::Locale, small_file::read_at_most};

/// The largest file of claims, in bytes. A larger one is the wrong file.
const CLAIMS_FILE_MAX: u64 = 64 * 1024;

/// Add, change, show and reset people.
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a person; the password is read from standard input.
    Add {
        /// E-mail address, stored as verified.
        email: String,
        /// Full name, unless the claims have it.
        #[arg(long)]
        name: Option<String>,
        /// JSON file with standard claims (OpenID Connect Core 1.0, section 5.1): `{"given_name": "Mere"}`.
        #[arg(long, value_name = "FILE")]
        claims_file: Option<PathBuf>,
        /// Read the password from the first line of standard input.
        #[arg(long, required = true)]
        password_stdin: bool,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change what is stored of a person; what is not named stays. Clients see it at their next call of userinfo.
    Set {
        /// E-mail address.
        email: String,
        #[command(flatten)]
        members: Box<UserMembers>,
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
    /// Force a new password: all sessions and grants end, recovery codes are void, and the next sign-in requires the change.
    Reset {
        /// E-mail address.
        email: String,
        /// Leave the person's recovery codes as they are.
        #[arg(long)]
        keep_recovery_codes: bool,
        #[command(flatten)]
        change: ChangeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a passkey or an authenticator app of a person who has lost it; the person is told by mail. None is ever added.
    RemoveMethod {
        /// E-mail address.
        email: String,
        /// Its id, as `idp user show` prints it.
        id: Uuid,
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

/// What is to be changed.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
pub(super) struct UserMembers {
    /// Full name.
    #[arg(long)]
    name: Option<String>,
    /// Language of mails, until the next sign-in in another one.
    #[arg(long, value_name = "TAG", value_parser = parse_language)]
    language: Option<Locale>,
    /// The same address in another spelling, such as `Mere@example.org` for `mere@example.org`.
    #[arg(long = "email", value_name = "SPELLING")]
    spelling: Option<String>,
    /// JSON file with standard claims (OpenID Connect Core 1.0, section 5.1). They replace all that the person has;
    /// name and `email_verified` stay if the file has none.
    #[arg(long, value_name = "FILE")]
    claims_file: Option<PathBuf>,
}

fn parse_language(tag: &str) -> Result<Locale, String> {
    Locale::ALL.into_iter().find(|locale| locale.tag() == tag).ok_or_else(|| {
        let tags: Vec<_> = Locale::ALL.iter().map(|locale| locale.tag()).collect();
        format!("pages and mails have the languages {}", tags.join(", "))
    })
}

impl UserCommand {
    pub(super) async fn run(self) -> CommandResult {
        match self {
            Self::Add { email, name, claims_file, change, json, .. } => {
                add(&email, name, claims_file.as_deref(), (&change, json)).await
            }
            Self::Set { email, members, change, json } => {
                set(&email, *members, &change, json).await
            }
            Self::Show { email, at, json } => show(&email, &at, json).await,
            Self::Reset { email, keep_recovery_codes, change, json } => {
                force_reset(&email, keep_recovery_codes, &change, json).await
            }
            Self::RemoveMethod { email, id, change, json } => {
                remove_method(&email, id, &change, json).await
            }
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

/// Reads a file of claims.
fn read_claims(file: &Path) -> Result<StandardClaims, CommandError> {
    let shown = file.display();
    let failed = |why: String| CommandError::new(format!("--claims-file {shown}: {why}"));
    // Before it is opened: opening a named pipe would wait for its writer.
    if !fs::metadata(file).map_err(|error| failed(error.to_string()))?.is_file() {
        return Err(failed("is not a regular file; save the claims in one".to_owned()));
    }
    let content = read_at_most(file, CLAIMS_FILE_MAX)
        .map_err(|error| failed(error.to_string()))?
        .ok_or_else(|| {
        let most = CLAIMS_FILE_MAX;
        failed(format!("is larger than {most} bytes, the most for the claims of a person"))
    })?;
    let text = std::str::from_utf8(&content)
        .map_err(|_| failed("is not text in UTF-8; save it as UTF-8".to_owned()))?;
    // Some editors begin a file of UTF-8 with a byte order mark, which a parser may ignore (RFC 8259, section 8.1).
    StandardClaims::parse(text.strip_prefix('\u{FEFF}').unwrap_or(text)).map_err(|bad| {
        let lines: Vec<_> = bad.to_string().lines().map(|line| format!("  {line}")).collect();
        failed(format!("nothing was changed:\n{}", lines.join("\n")))
    })
}

/// The name of an option and that of the claims: they must not differ.
fn one_name(
    option: Option<String>,
    claims: Option<&StandardClaims>,
) -> Result<Option<String>, CommandError> {
    match (option, claims.and_then(|claims| claims.name.clone())) {
        (Some(option), Some(claim)) if option != claim => Err(CommandError::usage(format!(
            "--name is `{option}`, and the claims have the name `{claim}`: give one of them"
        ))),
        (option, claim) => Ok(option.or(claim)),
    }
}

async fn set(email: &str, members: UserMembers, args: &ChangeArgs, json: bool) -> CommandResult {
    let authority = args.authority()?;
    let email = parse_address(email)?;
    let claims = members.claims_file.as_deref().map(read_claims).transpose()?;
    let edit = UserEdit {
        name: one_name(members.name, claims.as_ref())?,
        language: members.language.map(Locale::tag),
        spelling: members.spelling.as_deref().map(parse_address).transpose()?,
        claims,
    };
    let cx = args.open().await?.cx().await?;
    let changed = change::edit(&cx, &authority, &email, &edit).await??;
    if json {
        print::json(&json!({ "email": email.canonical(), "changed": changed }));
    } else if changed.is_empty() {
        print::line(&format!("{email} has these values already; nothing was changed."));
    } else {
        print::line(&format!("Changed {email}: {}.", changed.join(", ")));
    }
    Ok(())
}

async fn add(
    email: &str,
    name: Option<String>,
    claims_file: Option<&Path>,
    (change, json): (&ChangeArgs, bool),
) -> CommandResult {
    let authority = change.authority()?;
    let email = parse_address(email)?;
    let claims = claims_file.map(read_claims).transpose()?;
    let name = one_name(name, claims.as_ref())?.unwrap_or_default();
    let claims = claims.unwrap_or_default();
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    let cx = change.open().await?.cx().await?;
    let new = NewUser { email: email.clone(), name, claims, password };
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
    let claims: Value = serde_json::from_str(&user.claims).unwrap_or_default();
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
    let steps = &found.second_steps;
    let methods = methods_json(&found);
    if json {
        print::json(&json!({
            "id": user.id, "subject": user.subject, "email": user.email, "email_verified": user.email_verified,
            "name": user.name, "language": user.language, "claims": claims, "status": user.status,
            "created_at": rfc3339(user.created_at),
            "password_change_required_since": user.password_change_required_since.map(rfc3339),
            "methods": methods, "recovery_codes": steps.recovery_codes,
            "email_codes": steps.email_codes_off_since.is_none(),
            "events": events,
        }));
        return Ok(());
    }
    print::line(&format!("{} <{}>", user.name, user.email.as_deref().unwrap_or("-")));
    print::line(&format!("sub {} at first-party clients", user.subject));
    print::line(&format!("status {}", user.status));
    print::line(&format!("language {}", user.language.as_deref().unwrap_or("-")));
    if !user.email_verified {
        print::line("the address is not verified");
    }
    for (name, value) in claims.as_object().into_iter().flatten() {
        print::line(&format!("{name} {value}"));
    }
    print::line(&format!("added {}", rfc3339(user.created_at)));
    for passkey in &found.passkeys {
        let last = match passkey.uses {
            0 => "not used yet".to_owned(),
            _ => format!("last used {}", rfc3339(passkey.last_used_at)),
        };
        let added = rfc3339(passkey.created_at);
        print::line(&format!("passkey {}  {:?}, added {added}, {last}", passkey.id, passkey.name));
    }
    for app in &found.apps {
        let last = rfc3339(app.last_used_at);
        print::line(&format!("authenticator app {}  {:?}, last used {last}", app.id, app.name));
    }
    print::line(&format!("recovery codes {}", steps.recovery_codes));
    if steps.email_codes_off_since.is_some() {
        print::line("no codes by e-mail, by the person's own choice");
    }
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

/// The methods of the second step, without secrets.
fn methods_json(found: &UserWithEvents) -> Vec<Value> {
    let apps = found.apps.iter().map(|app| {
        json!({
            "id": app.id, "method": "totp", "name": app.name, "added_at": rfc3339(app.created_at),
            "last_used_at": rfc3339(app.last_used_at),
        })
    });
    let passkeys = found.passkeys.iter().map(|passkey| {
        json!({
            "id": passkey.id, "method": "passkey", "name": passkey.name, "synced": passkey.synced,
            "added_at": rfc3339(passkey.created_at), "last_used_at": rfc3339(passkey.last_used_at),
        })
    });
    passkeys.chain(apps).collect()
}

async fn force_reset(
    email: &str,
    keeps_recovery_codes: bool,
    change: &ChangeArgs,
    json: bool,
) -> CommandResult {
    let authority = change.authority()?;
    let email = parse_address(email)?;
    let cx = change.open().await?.cx().await?;
    let forced = reset::force(&cx, &authority, &email, keeps_recovery_codes).await?;
    let epoch = forced.ok_or_else(|| unknown_user(&email))?;
    if json {
        print::json(&json!({ "email": email.as_written(), "epoch": epoch }));
    } else {
        print::line(&format!(
            "{email} is signed out everywhere and will be asked for a new password."
        ));
        if !keeps_recovery_codes {
            print::line("Recovery codes of before, if there were any, are void.");
        }
    }
    Ok(())
}

async fn remove_method(email: &str, id: Uuid, change: &ChangeArgs, json: bool) -> CommandResult {
    let authority = change.authority()?;
    let email = parse_address(email)?;
    let cx = change.open().await?.cx().await?;
    let removed = match methods::remove(&cx, &authority, &email, id).await? {
        MethodRemoval::Removed(removed) => removed,
        MethodRemoval::UnknownUser => return Err(unknown_user(&email)),
        MethodRemoval::UnknownMethod => {
            return Err(CommandError::new(format!(
                "{email} has no method with the id {id}: `idp user show` prints the ids"
            )));
        }
    };
    if json {
        print::json(&json!({
            "email": email.as_written(), "id": id, "name": removed.name, "last": removed.is_last,
        }));
        return Ok(());
    }
    print::line(&format!("The method \"{}\" of {email} was removed.", removed.name));
    if removed.is_last {
        print::line(
            "It was the last one: recovery codes are void, and a code by e-mail is asked for.",
        );
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
