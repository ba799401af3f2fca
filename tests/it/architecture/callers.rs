//! The invariant, checked at call sites: no token is issued without a completed second step.

use syn::{Expr, Ident, ImplItem, Item, ItemImpl, ItemStruct, Type, Visibility};

use super::{
    assert_none,
    facts::{Fact, FactKind, is_for_tests},
    source::{Source, read_one, source, sources, sources_outside},
    tokens::words_in,
};

/// Statements that make a proof or a token durable. One file runs each, once.
const ONE_CALLER: [(&str, &str); 9] = [
    ("store::sign_in::insert", "flows/src/login/record.rs"),
    ("store::grant::insert", "flows/src/token/issue.rs"),
    ("store::auth_code::insert", "flows/src/token/issue.rs"),
    ("store::auth_code::redeem", "flows/src/token/authorization_code.rs"),
    ("store::session::insert", "flows/src/login/complete.rs"),
    ("store::session::end", "flows/src/session.rs"),
    ("store::session::end_all", "flows/src/session.rs"),
    ("store::audit::insert", "flows/src/audit/mod.rs"),
    ("store::document::insert", "flows/src/settings/change.rs"),
];

/// Proofs, each with the one file that constructs it.
const PROOFS: [(&str, &str); 16] = [
    ("SignIn", "flows/src/sign_in.rs"),
    ("SignInProof", "flows/src/login/machine.rs"),
    ("PasswordChecked", "flows/src/login/password.rs"),
    ("SecondChecked", "flows/src/login/second_step.rs"),
    ("EmailCodeVerifier", "flows/src/login/email_code.rs"),
    ("TotpVerifier", "flows/src/login/totp.rs"),
    ("RecoveryCodeVerifier", "flows/src/login/recovery_code.rs"),
    ("PasskeyVerifier", "flows/src/login/passkey.rs"),
    ("PasskeyUvVerifier", "flows/src/login/passkey.rs"),
    ("ResendChecked", "flows/src/login/resend.rs"),
    ("SessionChecked", "flows/src/login/follow.rs"),
    ("NewPasswordChecked", "flows/src/login/new_password.rs"),
    ("AuthenticatedClient", "flows/src/client_auth.rs"),
    ("Principal", "flows/src/token/principal.rs"),
    ("ChangeAuthority", "flows/src/change_authority.rs"),
    ("Reason", "flows/src/change_authority.rs"),
];

/// Constructors of an authority, and the places that may call them.
const AUTHORITY: [(&str, &[&str]); 3] = [
    ("flows::change_authority::ChangeAuthority::from_command", &["idp/src/cli/change.rs"]),
    ("flows::change_authority::Reason::not_given", &["idp/src/cli/change.rs"]),
    (
        "flows::change_authority::ChangeAuthority::from_program",
        &[
            "flows/src/signing_keys/maintenance.rs",
            "idp/src/dev/demo.rs",
            "idp/src/jobs/key_maintenance.rs",
        ],
    ),
];

/// Flows that staff or an operator calls. Each takes the authority as a parameter.
const ACTS: [(&str, &str); 12] = [
    ("flows/src/account/create.rs", "create"),
    ("flows/src/client/registration.rs", "add"),
    ("flows/src/client/registration.rs", "edit"),
    ("flows/src/client/registration.rs", "remove"),
    ("flows/src/client/registration.rs", "rotate_secret"),
    ("flows/src/device.rs", "forget_all"),
    ("flows/src/root_keys.rs", "reseal"),
    ("flows/src/settings/change.rs", "set"),
    ("flows/src/settings/change.rs", "undo"),
    ("flows/src/signing_keys/rotate.rs", "rotate"),
    ("flows/src/staff/reset.rs", "force"),
    ("flows/src/staff/methods.rs", "remove"),
];

/// The verifiers of the second step: which seal belongs to which method, and in which file. A verdict needs a seal, and a
/// seal is constructed in its own file alone (`PROOFS`).
const SEALS: [(&str, &str, &str); 5] = [
    ("EmailCodeVerifier", "MailedMethod::EMAIL_CODE", "flows/src/login/email_code.rs"),
    ("PasskeyUvVerifier", "HeldMethod::PASSKEY_UV", "flows/src/login/passkey.rs"),
    ("PasskeyVerifier", "HeldMethod::PASSKEY", "flows/src/login/passkey.rs"),
    ("RecoveryCodeVerifier", "HeldMethod::RECOVERY_CODE", "flows/src/login/recovery_code.rs"),
    ("TotpVerifier", "HeldMethod::TOTP", "flows/src/login/totp.rs"),
];

/// Whether a file has the only place that was found.
fn is_only_in(found: &[String], file: &str) -> bool {
    matches!(found, [one] if one.starts_with(&format!("{file}:")))
}

/// The functions that construct a value of a type with `Name { .. }`, one entry for each construction.
fn constructing_functions<'a>(source: &'a Source, name: &str) -> Vec<&'a str> {
    let values = source.production(FactKind::Value).filter(|fact| fact.means(name));
    values.map(|fact| fact.function.as_str()).collect()
}

#[test]
fn proof_insert_has_one_caller() {
    for (target, file) in ONE_CALLER {
        let found: Vec<String> = sources_outside("store")
            .flat_map(|source| source.mentions(target).map(|fact| source.location(&fact.at)))
            .collect();
        assert!(
            is_only_in(&found, file),
            "{target} is called once, in {file}; call a function of that file instead. Found: {found:?}"
        );
    }
}

/// So a search for a statement's name finds every use of it.
#[test]
fn store_import_keeps_its_name() {
    let mut findings = Vec::new();
    for source in sources_outside("store") {
        let imports = source.facts.imports.iter().filter(|import| !source.is_test(&import.at));
        for import in
            imports.filter(|import| import.path.trim_start_matches(':').starts_with("store::"))
        {
            let renamed =
                !import.path.ends_with(&format!("::{}", import.name)) || import.name == "*";
            if renamed || import.exported {
                let place = source.location(&import.at);
                findings.push(format!("{place}: {} as {}", import.path, import.name));
            }
        }
    }
    assert_none(
        &findings,
        "name statements of `store` as they are, without `as`, `*` and `pub use`:",
    );
}

#[test]
fn user_token_is_signed_in_one_call() {
    let mut found = Vec::new();
    for source in sources() {
        let calls = source.production(FactKind::Method).chain(source.production(FactKind::Path));
        let calls = calls.filter(|fact| fact.name.rsplit("::").next() == Some("sign_user_token"));
        found.extend(calls.map(|fact| source.location(&fact.at)));
    }
    assert!(
        is_only_in(&found, "flows/src/token/issue.rs"),
        "only flows/src/token/issue.rs signs user tokens, in one call. Found: {found:?}"
    );
}

/// The signature under that token.
#[test]
fn token_signature_is_made_by_ring() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.path != "keys/src/jwt.rs") {
        let signs = |fact: &&Fact| {
            let ends = |end| fact.meanings.iter().any(|meaning| meaning.ends_with(end));
            ends("::jwt::sign") || ends("::crypto::sign")
        };
        found.extend(
            source.production(FactKind::Path).filter(signs).map(|f| source.location(&f.at)),
        );
    }
    assert!(
        is_only_in(&found, "keys/src/key_ring.rs"),
        "only keys/src/key_ring.rs signs tokens, with one function for each kind. Found: {found:?}"
    );
    let items = source("keys/src/jwt.rs").items();
    let inside = items.iter().any(|item| {
        matches!(item, Item::Fn(f) if f.sig.ident == "sign" && matches!(f.vis, Visibility::Restricted(_)))
    });
    assert!(inside, "keys::jwt::sign stays private to `keys`");
}

#[test]
fn proof_is_made_in_its_file() {
    let mut findings = Vec::new();
    for (name, file) in PROOFS {
        let proof = format!("{}::{name}", source(file).facts.modules[0]);
        for source in sources().iter().filter(|source| source.path != file) {
            let found = source.production(FactKind::Value).filter(|fact| fact.means(&proof));
            findings.extend(found.map(|f| format!("{} makes a {name}", source.location(&f.at))));
        }
    }
    assert_none(
        &findings,
        "only its verifier constructs a proof; call the verifier (PROOFS names its file):",
    );
}

#[test]
fn method_is_judged_in_one_file() {
    let mut found = Vec::new();
    for source in sources() {
        let seals = source.production(FactKind::Impl).filter(|fact| {
            ["MailedVerifier", "HeldVerifier"]
                .map(|seal| format!("flows::login::second_step::{seal}"))
                .iter()
                .any(|seal| fact.means(seal))
        });
        found.extend(seals.map(|_| source.path.as_str()));
    }
    assert_eq!(found, SEALS.map(|(.., file)| file), "a method of the second step has one verifier");
    for (seal, method, file) in SEALS {
        let items = source(file).items();
        let of = items.iter().find_map(|item| match item {
            Item::Impl(item) => sealed_method(item, seal),
            _ => None,
        });
        assert_eq!(of.as_deref(), Some(method), "{file}: {seal} is for its own method only");
    }
}

/// The method of a seal, where this `impl` declares it.
fn sealed_method(item: &ItemImpl, seal: &str) -> Option<String> {
    let Type::Path(of) = &*item.self_ty else { return None };
    let ([ImplItem::Const(constant)], Some(_)) = (item.items.as_slice(), &item.trait_) else {
        return None;
    };
    let Expr::Path(method) = &constant.expr else { return None };
    let words = method.path.segments.iter().map(|segment| segment.ident.to_string());
    of.path.is_ident(seal).then(|| words.collect::<Vec<_>>().join("::"))
}

#[test]
fn proof_has_no_second_source() {
    let mut findings = Vec::new();
    for (name, file) in PROOFS {
        let items = source(file).items();
        let proof = items.iter().find_map(|item| match item {
            Item::Struct(proof) if proof.ident == name => Some(proof),
            _ => None,
        });
        let proof =
            proof.unwrap_or_else(|| panic!("{name} is no longer in {file}; correct PROOFS"));
        findings.extend(
            other_constructors(proof, &items).into_iter().map(|way| format!("{file}: {way}")),
        );
    }
    assert_none(
        &findings,
        "only its verifier makes a proof: keep its fields private and its file without modules:",
    );
}

/// Other ways to construct or change a value of a type: a public field, a derived or written trait, or a module inside,
/// which sees the fields.
fn other_constructors(proof: &ItemStruct, items: &[Item]) -> Vec<String> {
    const TRAITS: [&str; 3] = ["Deserialize", "Default", "FromRow"];
    let name = &proof.ident;
    let mut ways = Vec::new();
    if proof.fields.iter().any(|field| !matches!(field.vis, Visibility::Inherited)) {
        ways.push(format!("{name} has a public field"));
    }
    let mut derived = Vec::new();
    for attribute in &proof.attrs {
        if let syn::Meta::List(list) = &attribute.meta {
            words_in(list.tokens.clone(), &mut derived);
        }
    }
    for item in items {
        match item {
            Item::Impl(item) => derived.extend(trait_for(item, name)),
            Item::Mod(module) if module.content.is_none() && !is_for_tests(&module.attrs) => {
                ways.push(format!("the module {} sees the fields of {name}", module.ident));
            }
            _ => {}
        }
    }
    let made = derived.iter().filter(|word| TRAITS.contains(&word.as_str()));
    ways.extend(made.map(|way| format!("{name} is {way}")));
    ways
}

/// The trait that this `impl` gives to a type.
fn trait_for(item: &ItemImpl, name: &Ident) -> Option<String> {
    let last = |path: &syn::Path| path.segments.last().map(|segment| segment.ident.clone());
    let (Some((path, _)), Type::Path(of)) = (&item.trait_, &*item.self_ty) else { return None };
    (last(&of.path).as_ref() == Some(name)).then(|| last(path)).flatten().map(|t| t.to_string())
}

/// A command constructs an operator's authority where it is parsed; the program constructs its own where it acts by itself.
#[test]
fn authority_is_made_by_its_callers() {
    for (maker, files) in AUTHORITY {
        let mut found: Vec<&str> = sources()
            .iter()
            .filter(|source| source.mentions(maker).next().is_some())
            .map(|source| source.path.as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, files, "{maker}: a further caller needs a decision, then a row here");
    }
}

#[test]
fn operator_flow_takes_authority() {
    for (file, name) in ACTS {
        let source = source(file);
        let act = source.facts.functions.iter().find(|f| f.name == name);
        let act = act.unwrap_or_else(|| panic!("{name} is no longer in {file}; correct ACTS"));
        let signature = source.text[act.at.clone()].split('{').next().unwrap_or_default();
        assert!(
            signature.contains("authority: &ChangeAuthority"),
            "{file}: {name} takes `authority: &ChangeAuthority`"
        );
    }
}

/// A [`SignIn`](flows::SignIn) comes from the row that recorded the machine's `SignInProof`, from a live session, or from a
/// grant.
#[test]
fn sign_in_has_three_sources() {
    let file = source("flows/src/sign_in.rs");
    assert_eq!(
        constructing_functions(file, "flows::sign_in::SignIn"),
        ["of_row", "of_session", "of_grant"],
        "a SignIn comes from its row, from a session or from a grant; a fourth source needs a decision, then this test"
    );
    let recorder = source("flows/src/login/record.rs");
    let found: Vec<String> = sources()
        .iter()
        .flat_map(|source| {
            source.mentions("flows::sign_in::SignIn::of_row").map(|fact| source.location(&fact.at))
        })
        .collect();
    assert!(
        is_only_in(&found, recorder.path.as_str()),
        "of_row is only for the row just recorded: {found:?}"
    );
    let is_recorder = |f: &&super::facts::Function| f.name == "record_sign_in";
    let record = recorder.facts.functions.iter().find(is_recorder).expect("it is there");
    let signature = recorder.text[record.at.clone()].split('{').next().unwrap_or_default();
    assert!(
        signature.contains("proof: &SignInProof"),
        "record_sign_in takes the machine's SignInProof"
    );
}

/// A row of `sign_ins` is a fact. It is added once and swept when nothing needs it any more.
#[test]
fn sign_in_row_is_never_updated() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.krate() == "store") {
        for text in source.all(FactKind::Text) {
            let words = text.name.to_uppercase();
            let words: Vec<&str> = words.split_whitespace().collect();
            if words.windows(2).any(|pair| pair[0].ends_with("UPDATE") && pair[1] == "SIGN_INS") {
                found.push(source.location(&text.at));
            }
        }
    }
    assert_none(&found, "a sign-in never changes: insert another row instead of updating one:");
}

/// `step` makes the one `SignInProof`, in two places: after the second step, and after the new password that follows it.
#[test]
fn machine_completes_in_two_places() {
    assert_eq!(
        constructing_functions(
            source("flows/src/login/machine.rs"),
            "flows::login::machine::SignInProof"
        ),
        ["after_second_step", "new_password"],
        "every SignInProof comes from the second step or from the new password after it"
    );
}

#[test]
fn assumed_verdict_is_test_only() {
    let mut findings = Vec::new();
    for source in sources() {
        let calls = source.production(FactKind::Path).chain(source.production(FactKind::Method));
        let calls = calls.filter(|fact| fact.name.rsplit("::").next() == Some("assume"));
        let made = source.facts.functions.iter().filter(|f| f.name == "assume");
        let made = made.filter(|f| !source.is_test(&f.at)).map(|f| &f.at);
        findings.extend(calls.map(|fact| &fact.at).chain(made).map(|at| source.location(at)));
    }
    assert_none(&findings, "`assume` makes a verdict without judging: only under #[cfg(test)]:");
}

#[test]
fn construction_is_distinguished_from_type() {
    let made = |text: &str| constructing_functions(&read_one(text), "flows::x::Complete").len();
    assert_eq!(made("fn f() { let a = Complete { b }; }"), 1);
    assert_eq!(made("fn f() { g(crate::x::Complete {\n b }) }"), 1);
    assert_eq!(made("fn f() { assert!(g(Complete { b })) }"), 1);
    assert_eq!(made("impl Complete { fn f() -> Self { Self { b } } }"), 1);
    assert_eq!(made("use Complete as C;\nfn f() { C { b } }"), 1);
    for text in [
        "struct Complete { a: u8 } impl Complete {} impl A for Complete {} fn b() -> Complete { c }",
        "fn f(a: &Complete) { match a { State::Complete { .. } => 1, Complete { .. } => 2 } }",
        "m! { struct Complete { a: u8 } impl A for Complete {} fn b() -> Complete { c } }",
    ] {
        assert_eq!(made(text), 0, "{text}");
    }
}

#[test]
fn proof_constructors_are_found() {
    let ways = |text: &str| {
        let items = read_one(text).items();
        let Item::Struct(proof) = &items[0] else { panic!("{text}") };
        other_constructors(proof, &items)
    };
    assert_eq!(ways("#[derive(Clone)]\npub struct P { a: u8 }\n#[cfg(test)]\nmod t;"), [""; 0]);
    for (text, way) in [
        ("pub struct P { pub(super) a: u8 }", "P has a public field"),
        ("pub struct P(pub u8);", "P has a public field"),
        ("#[derive(serde::Deserialize)]\npub struct P { a: u8 }", "P is Deserialize"),
        ("struct P { a: u8 }\nimpl Default for P {}", "P is Default"),
        ("struct P { a: u8 }\nmod t;", "the module t sees the fields of P"),
    ] {
        assert_eq!(ways(text), [way], "{text}");
    }
}
