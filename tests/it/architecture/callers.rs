//! The invariant, held by call sites: no token leaves without a completed second step.

use super::{
    assert_none,
    functions::{around, functions},
    paths::{imports, mentions},
    source::{Source, closing, outside, places_of, source, sources},
};

/// Statements that make a proof or a token durable, and the one file that runs each, once.
const ONE_CALLER: [(&str, &str); 7] = [
    ("store::sign_in::insert", "flows/src/sign_in.rs"),
    ("store::grant::insert", "flows/src/token/issue.rs"),
    ("store::auth_code::insert", "flows/src/token/issue.rs"),
    ("store::auth_code::claim", "flows/src/token/code.rs"),
    ("store::session::insert", "flows/src/login/complete.rs"),
    ("store::audit::insert", "flows/src/audit.rs"),
    ("store::setting::insert", "flows/src/settings.rs"),
];

/// Proofs, each with the one file that makes it.
const PROOFS: [(&str, &str); 8] = [
    ("SignIn", "flows/src/sign_in.rs"),
    ("Complete", "flows/src/login/machine.rs"),
    ("PasswordChecked", "flows/src/login/password.rs"),
    ("SecondChecked", "flows/src/login/second.rs"),
    ("EmailCodeSeal", "flows/src/login/email_code.rs"),
    ("ResendChecked", "flows/src/login/resend.rs"),
    ("SessionChecked", "flows/src/login/follow.rs"),
    ("NewPasswordChecked", "flows/src/login/new_password.rs"),
];

/// The verifiers of the second step: whose seal speaks for which method, and where. A verdict is made from a seal alone, and
/// a seal in its own file alone (`PROOFS`).
const SEALS: [(&str, &str); 1] = [(
    "MailedSeal for EmailCodeSeal { const METHOD: Mailed = Mailed::EMAIL_CODE; }",
    "flows/src/login/email_code.rs",
)];

/// Where a value of a type is written out: `Name { .. }` that is no definition and no return type.
fn constructions(code: &str, name: &str) -> Vec<usize> {
    const NO_VALUE: [&str; 7] = ["struct", "enum", "union", "trait", "impl", "for", "->"];
    places_of(code, name)
        .filter(|at| code[at + name.len()..].trim_start().starts_with('{'))
        .filter(|at| {
            let before = code[..*at].trim_end();
            !NO_VALUE.iter().any(|word| before.ends_with(word)) && !is_variant(before)
        })
        .collect()
}

/// Whether what comes next is a variant of an enum: its name follows that of a type.
fn is_variant(before: &str) -> bool {
    before.strip_suffix("::").is_some_and(|before| {
        let segment = before.rsplit(|c| !super::scan::is_name(c)).next().unwrap_or_default();
        segment.starts_with(char::is_uppercase)
    })
}

#[test]
fn what_makes_a_proof_durable_has_one_caller() {
    for (target, file) in ONE_CALLER {
        let found: Vec<String> = outside("store")
            .flat_map(|source| mentions(source, target).into_iter().map(|at| source.place(at)))
            .collect();
        let one = found.len() == 1 && found[0].starts_with(&format!("{file}:"));
        assert!(
            one,
            "{target} is called once, in {file}; call what that file offers instead. Found: {found:?}"
        );
    }
}

/// Otherwise a call would not be seen as one.
#[test]
fn statements_are_called_by_their_own_names() {
    let mut findings = Vec::new();
    for source in outside("store") {
        for import in imports(&source.production) {
            let renamed =
                !import.path.ends_with(&format!("::{}", import.name)) || import.name == "*";
            let exported = source.production[..import.at].trim_end().ends_with("pub");
            if import.path.starts_with("store::") && (renamed || exported) {
                findings.push(format!(
                    "{}: {} as {}",
                    source.place(import.at),
                    import.path,
                    import.name
                ));
            }
        }
    }
    assert_none(
        &findings,
        "name statements of `store` as they are, without `as`, `*` and `pub use`:",
    );
}

#[test]
fn user_tokens_are_signed_in_one_place() {
    let mut found = Vec::new();
    for source in sources() {
        let calls = places_of(&source.production, "sign_user_token")
            .filter(|at| !source.production[..*at].trim_end().ends_with("fn"));
        found.extend(calls.map(|at| source.place(at)));
    }
    let one = found.len() == 1 && found[0].starts_with("flows/src/token/issue.rs:");
    assert!(one, "only flows/src/token/issue.rs signs user tokens, in one call. Found: {found:?}");
}

/// The signature below it.
#[test]
fn the_ring_alone_signs() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.path != "keys/src/jwt.rs") {
        let signs =
            |at: &usize| source.production[..*at].ends_with("jwt::") || calls_encode(source, *at);
        found
            .extend(places_of(&source.production, "sign").filter(signs).map(|at| source.place(at)));
    }
    let one = found.len() == 1 && found[0].starts_with("keys/src/ring.rs:");
    assert!(
        one,
        "keys/src/ring.rs alone signs tokens, and hands out one function for each kind. Found: {found:?}"
    );
    let definition = &source("keys/src/jwt.rs").production;
    assert!(
        ["pub(crate) fn sign(", "pub(crate) fn sign<", "pub(super) fn sign("]
            .iter()
            .any(|d| definition.contains(d)),
        "keys::jwt::sign stays inside `keys`"
    );
}

fn calls_encode(source: &Source, at: usize) -> bool {
    source.production[..at].ends_with("crypto::")
}

#[test]
fn a_method_is_judged_in_one_file() {
    let mut found = Vec::new();
    for source in sources() {
        let code = &source.production;
        for kind in ["MailedSeal for", "HeldSeal for"] {
            for at in code.match_indices(kind).map(|(at, _)| at) {
                let open = at + code[at..].find('{').expect("a body");
                let text = &code[at..closing(code, open)];
                let words: Vec<&str> = text.split_whitespace().collect();
                found.push((words.join(" "), source.path.clone()));
            }
        }
    }
    let expected = SEALS.map(|(text, path)| (text.to_owned(), path.to_owned()));
    assert_eq!(found, expected, "a method of the second step has one verifier, which has its seal");
}

#[test]
fn a_proof_is_made_in_its_own_file() {
    let mut findings = Vec::new();
    for (name, file) in PROOFS {
        for source in sources().iter().filter(|source| source.path != file) {
            let found = constructions(&source.production, name);
            findings
                .extend(found.into_iter().map(|at| format!("{} makes a {name}", source.place(at))));
        }
    }
    assert_none(
        &findings,
        "a proof is made by its verifier alone; ask the verifier (PROOFS says which file that is):",
    );
}

#[test]
fn a_proof_cannot_be_made_otherwise() {
    let mut findings = Vec::new();
    for (name, file) in PROOFS {
        let code = &source(file).production;
        let definition = format!("pub struct {name} ");
        let at = code
            .find(&definition)
            .unwrap_or_else(|| panic!("{name} is no longer in {file}; correct PROOFS"));
        let body = code[at..].find('{').map(|open| &code[at + open..closing(code, at + open)]);
        if places_of(body.unwrap_or_default(), "pub").next().is_some() {
            findings.push(format!("{file}: {name} has a public field"));
        }
        let derived = code[..at].rsplit("\n\n").next().unwrap_or_default();
        for door in ["Deserialize", "Default", "FromRow"] {
            if places_of(derived, door).next().is_some()
                || code.contains(&format!("{door} for {name}"))
            {
                findings.push(format!("{file}: {name} is {door}"));
            }
        }
        let inner =
            places_of(code, "mod").filter(|at| code[*at..].find(';') < code[*at..].find('{'));
        findings.extend(inner.map(|at| {
            let line = source(file).place(at);
            format!("{line}: a module inside sees the fields of {name}")
        }));
    }
    assert_none(
        &findings,
        "a proof is nothing but what its verifier says: keep its fields private and its file whole:",
    );
}

/// A [`SignIn`](flows::sign_in::SignIn) comes from the machine's `Complete`, from a live session, or from a grant.
#[test]
fn a_sign_in_has_three_sources() {
    let code = &source("flows/src/sign_in.rs").production;
    let all = functions(code);
    let makers: Vec<&str> =
        constructions(code, "Self").into_iter().map(|at| around(&all, at)).collect();
    assert_eq!(
        makers,
        ["record", "load", "of_grant"],
        "a SignIn comes from Complete, from a session or from a grant; a fourth source needs a decision, then this test"
    );
    let record = all.iter().find(|f| f.name == "record").expect("it is there");
    assert!(
        code[record.at..record.body].contains("complete: &Complete"),
        "SignIn::record takes the machine's Complete as proof"
    );
}

/// A row of `sign_ins` is a fact. It is added once and swept when nothing needs it any more.
#[test]
fn a_sign_in_is_never_updated() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("store/")) {
        let text = source.text.to_uppercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let updates =
            words.windows(2).any(|pair| pair[0].ends_with("UPDATE") && pair[1] == "SIGN_INS");
        if updates {
            found.push(source.path.clone());
        }
    }
    assert_none(&found, "a sign-in is a fact: add another one instead of changing it:");
}

/// `step` makes the one `Complete`, in two places: after the second step, and after the new password that follows it.
#[test]
fn the_machine_completes_in_two_places() {
    let code = &source("flows/src/login/machine.rs").production;
    let all = functions(code);
    let makers: Vec<&str> =
        constructions(code, "Complete").into_iter().map(|at| around(&all, at)).collect();
    assert_eq!(
        makers,
        ["second_proven", "new_password"],
        "every way to Complete leads through second_proven or the new password after it"
    );
}

#[test]
fn tests_have_no_door_of_their_own_in_the_program() {
    let findings: Vec<String> = sources()
        .iter()
        .flat_map(|source| places_of(&source.production, "assume").map(|at| source.place(at)))
        .collect();
    assert_none(&findings, "`assume` makes a verdict without judging: only under #[cfg(test)]:");
}

#[test]
fn constructions_are_told_from_definitions() {
    let found = |code: &str| constructions(code, "Complete").len();
    assert_eq!(found("let a = Complete { b };"), 1);
    assert_eq!(found("f(machine::Complete {\n b })"), 1);
    assert_eq!(
        found(
            "struct Complete { a: u8 } impl Complete {} impl A for Complete {} fn b() -> Complete { c }"
        ),
        0
    );
    assert_eq!(found("match a { State::Complete { .. } => 1 } fn f(a: &Complete) {}"), 0);
}
