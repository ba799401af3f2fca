//! The real user who runs a command, from the operating system and never from the environment.

use std::fs;

use flows::actor::CliUser;
use nix::unistd::{Uid, User, getuid};

use crate::config;

/// The login uid of a process that no user's login started (`audit(8)`): a service, a container.
const LOGINUID_UNSET: u32 = u32::MAX;

/// The content of `/proc/self/uid_map` in the initial user namespace, where user ids are those of the machine
/// (`user_namespaces(7)`).
const INITIAL_UID_MAP: [&str; 3] = ["0", "0", "4294967295"];

/// The user who logged in, also after `su` or `sudo`. Without a login, the user of this process.
pub(super) fn current() -> CliUser {
    let login = fs::read_to_string("/proc/self/loginuid").ok();
    let map = fs::read_to_string("/proc/self/uid_map").ok();
    let sudo = config::environment().find(|(name, _)| name == "SUDO_UID").map(|(_, uid)| uid);
    let real = getuid().as_raw();
    let ids = UserIds { login: login.as_deref(), real, sudo: sudo.as_deref(), map: map.as_deref() };
    ids.resolve(|uid| User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name))
}

/// User ids, as the system and the environment have them.
struct UserIds<'a> {
    /// Text of `/proc/self/loginuid`. Child processes inherit it, and changing it takes a capability.
    login: Option<&'a str>,
    /// Real user id of this process.
    real: u32,
    /// `SUDO_UID`. Any user may set it, so it is recorded only as a claim, and only for root.
    sudo: Option<&'a str>,
    /// Text of `/proc/self/uid_map`. Any user may create a user namespace with other ids, so there the ids above name no
    /// user of the machine.
    map: Option<&'a str>,
}

impl UserIds<'_> {
    fn resolve(&self, name_of: impl Fn(u32) -> Option<String>) -> CliUser {
        let parse = |text: Option<&str>| text.and_then(|text| text.trim().parse::<u32>().ok());
        let name = |uid: u32| name_of(uid).unwrap_or_else(|| format!("#{uid}"));
        let login = parse(self.login).filter(|uid| *uid != LOGINUID_UNSET);
        let uid = login.unwrap_or(self.real);
        if self.map.is_some_and(|map| !map.split_whitespace().eq(INITIAL_UID_MAP)) {
            return CliUser { name: format!("#{uid}"), sudo_user: None, in_user_namespace: true };
        }
        CliUser {
            name: name(uid),
            sudo_user: parse(self.sudo).filter(|_| self.real == 0).map(name),
            in_user_namespace: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(uid: u32) -> Option<String> {
        [(0, "root"), (1000, "wiremu"), (1001, "aroha")]
            .into_iter()
            .find_map(|(known, name)| (known == uid).then(|| name.to_owned()))
    }

    const MACHINE: &str = "         0          0 4294967295\n";

    #[test]
    fn user_namespace_maps_no_names() {
        for map in ["         0       1000          1\n", "1 65534 1\n", "0 0 65536\n"] {
            let found =
                UserIds { login: Some("1000"), real: 0, sudo: Some("1001"), map: Some(map) };
            let user = found.resolve(names);
            assert_eq!((user.name.as_str(), user.in_user_namespace), ("#1000", true), "{map}");
            assert_eq!(user.sudo_user, None, "{map}");
        }
    }

    #[test]
    fn login_wins_over_real_user() {
        for (login, real, name) in [
            (Some("1000"), 0, "wiremu"),
            (Some("1000\n"), 1001, "wiremu"),
            (Some("4294967295"), 1001, "aroha"),
            (Some(""), 1001, "aroha"),
            (None, 1001, "aroha"),
            (None, 0, "root"),
            (None, 4711, "#4711"),
        ] {
            let found = UserIds { login, real, sudo: None, map: Some(MACHINE) };
            let user = CliUser { name: name.to_owned(), sudo_user: None, in_user_namespace: false };
            assert_eq!(found.resolve(names), user, "{login:?} {real}");
        }
    }

    #[test]
    fn sudo_claim_needs_root() {
        for (login, real, sudo, claim) in [
            (None, 0, "1001", Some("aroha")),
            (Some("1000"), 0, "1001", Some("aroha")),
            (None, 0, "4711", Some("#4711")),
            (None, 0, "aroha", None),
            (None, 1000, "1001", None),
        ] {
            let found = UserIds { login, real, sudo: Some(sudo), map: Some(MACHINE) };
            let user = found.resolve(names);
            assert_eq!(user.sudo_user.as_deref(), claim, "{real} {sudo}");
            assert_ne!(user.name, "aroha", "a claim is not the actor");
        }
    }
}
