//! Who may depend on whom, and which crate alone names which library.

use std::fs;

use super::{
    assert_none,
    paths::{imports, path_to},
    source::{CRATES, Source, places_of, sources},
};

/// Each crate and those of ours that it may name: the ones to its left.
const LEFT_OF: [(&str, &[&str]); 5] = [
    ("store", &[]),
    ("keys", &["store"]),
    ("flows", &["keys", "store"]),
    ("idp", &["flows", "keys", "store"]),
    ("tests", &["flows", "idp", "keys", "store"]),
];

/// A library and the places that may name it.
const NAMED_BY: [(&str, &[&str]); 25] = [
    ("sqlx", &["store"]),
    ("redis", &["store"]),
    ("argon2", &["keys"]),
    ("aws-lc-rs", &["keys"]),
    ("axum", &["idp"]),
    ("askama", &["idp"]),
    ("lettre", &["idp"]),
    ("clap", &["idp"]),
    ("fluent-bundle", &["idp"]),
    ("reqwest", &["idp", "tests"]),
    // Types of metadata and claims; a relying party, with its HTTP client, in the demo portal and in the tests.
    ("openidconnect", &["flows", "idp/src/dev", "idp/src/fetch.rs", "tests"]),
    ("opentelemetry", &["idp"]),
    ("opentelemetry-http", &["idp"]),
    ("opentelemetry-otlp", &["idp"]),
    ("opentelemetry_sdk", &["idp"]),
    ("tracing-opentelemetry", &["idp"]),
    ("prometheus-client", &["idp"]),
    ("chromiumoxide", &["tests"]),
    ("hyper", &["idp/src/serve"]),
    ("hyper-util", &["idp/src/serve"]),
    ("rustls", &["idp/src/serve"]),
    ("tokio-rustls", &["idp/src/serve"]),
    ("x509-cert", &["idp/src/serve"]),
    ("rcgen", &["tests"]),
    // `keys` signs and verifies with keys that are parsed once (decision 20).
    ("jsonwebtoken", &[]),
];

/// What a crate's Cargo.toml depends on, in any section.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            inside = section.ends_with("dependencies");
            if let Some((_, name)) = section.split_once("dependencies.") {
                found.push(name.to_owned());
            }
        } else if inside
            && let Some(name) = line.split(['.', '=']).next().map(str::trim)
            && !name.is_empty()
            && !name.starts_with('#')
        {
            found.push(name.to_owned());
        }
    }
    found
}

fn manifest(krate: &str) -> String {
    fs::read_to_string(vestibule_tests::root().join(krate).join("Cargo.toml")).expect("a manifest")
}

/// Where a source names a crate: as the root of a path.
fn names(source: &Source, krate: &str) -> Vec<usize> {
    let krate = krate.replace('-', "_");
    let imported = imports(&source.code)
        .into_iter()
        .filter(|import| import.path == krate || import.path.starts_with(&format!("{krate}::")))
        .map(|import| import.at);
    let mut found: Vec<usize> = places_of(&source.code, &krate)
        .filter(|at| source.code[at + krate.len()..].starts_with("::"))
        .filter(|at| {
            let (begin, path) = path_to(&source.code, *at, &krate);
            begin == *at || path.starts_with("::")
        })
        .chain(imported)
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn a_crate_depends_on_the_ones_to_its_left() {
    for (krate, allowed) in LEFT_OF {
        let mut ours = dependencies(&manifest(krate));
        ours.retain(|name| CRATES.contains(&name.as_str()) || name == "vestibule-tests");
        ours.sort();
        assert_eq!(
            ours, allowed,
            "{krate}/Cargo.toml: the order is store <- keys <- flows <- idp <- tests; move what is needed to the \
             left, or hand it in as a parameter"
        );
    }
}

#[test]
fn a_crate_names_the_ones_to_its_left_alone() {
    let mut findings = Vec::new();
    for (krate, allowed) in LEFT_OF {
        let forbidden = ["flows", "idp", "keys", "store", "vestibule_tests"]
            .into_iter()
            .filter(|name| *name != krate && !allowed.contains(name));
        for name in forbidden.filter(|name| !(krate == "tests" && *name == "vestibule_tests")) {
            for source in sources().iter().filter(|source| source.krate() == krate) {
                if has_module(source, name) {
                    continue;
                }
                let found = names(source, name);
                findings
                    .extend(found.iter().map(|at| format!("{} names {name}", source.place(*at))));
            }
        }
    }
    assert_none(
        &findings,
        "a crate names only crates to its left (store <- keys <- flows <- idp <- tests):",
    );
}

/// Whether a module of our own with this name is imported here: `use crate::keys`.
fn has_module(source: &Source, name: &str) -> bool {
    imports(&source.code).iter().any(|import| {
        import.name == name
            && ["crate::", "super::", "self::"].iter().any(|own| import.path.starts_with(own))
    })
}

#[test]
fn a_library_is_a_dependency_of_its_crate_alone() {
    let mut findings = Vec::new();
    for krate in CRATES {
        for name in dependencies(&manifest(krate)) {
            let row = NAMED_BY.iter().find(|(library, _)| *library == name);
            let allowed = row.is_none_or(|(_, places)| {
                places.iter().any(|place| place.split('/').next() == Some(krate))
            });
            if !allowed {
                findings.push(format!("{krate}/Cargo.toml depends on {name}"));
            }
        }
    }
    assert_none(
        &findings,
        "one crate names a library; do it there, behind a function of ours (NAMED_BY in tests/it/architecture/crates.rs \
         says where):",
    );
}

#[test]
fn a_dependency_is_named_by_its_crate() {
    let mut findings = Vec::new();
    for krate in CRATES {
        for name in dependencies(&manifest(krate)) {
            let used = sources()
                .iter()
                .filter(|source| source.krate() == krate)
                .any(|source| !names(source, &name).is_empty());
            if !used {
                findings.push(format!("{krate}/Cargo.toml depends on {name}"));
            }
        }
    }
    assert_none(&findings, "no source names these dependencies; remove them:");
}

#[test]
fn a_library_is_named_in_its_place_alone() {
    let mut findings = Vec::new();
    for (library, places) in NAMED_BY {
        for source in sources().iter().filter(|s| !places.iter().any(|place| s.is_in(place))) {
            let found = names(source, library);
            findings
                .extend(found.iter().map(|at| format!("{} names {library}", source.place(*at))));
        }
    }
    assert_none(
        &findings,
        "one place names a library; do it there, behind a function of ours (NAMED_BY in tests/it/architecture/crates.rs \
         says where):",
    );
}

#[test]
fn manifests_and_names_are_read() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\nb.workspace = true\n# c = 1\nd = { path = \"e\" }\n\
                    [dev-dependencies]\nf = \"1\"\n[target.'cfg(unix)'.dependencies.g]\nversion = \"1\"\n[lints]\nh = 1\n";
    assert_eq!(dependencies(manifest), ["b", "d", "f", "g"]);
    let named = |text: &str| {
        let source = Source::of("idp/src/x.rs".to_owned(), text.to_owned());
        !names(&source, "redis").is_empty()
    };
    assert!(named("fn a() { redis::cmd() }") && named("use redis::aio;") && named("use redis;"));
    assert!(named("use {redis as r, b};") && named("fn a() { ::redis::cmd() }"));
    assert!(!named("fn a(redis: &str) {} // redis::cmd") && !named("use crate::config::redis;"));
    assert!(
        !named("fn a() { Ephemeral::redis(url) }")
            && !named("fn a() { ephemeral::redis::connect() }")
    );
}
