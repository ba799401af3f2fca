//! Which crate may depend on which, and which crate alone names a library.

use std::{collections::HashSet, sync::LazyLock};

use cargo_metadata::MetadataCommand;

use super::{
    assert_none,
    facts::FactKind,
    source::{Source, read_one, sources},
};

/// Each package and the packages of the workspace that it may depend on: those to its left.
const LEFT_OF: [(&str, &[&str]); 7] = [
    ("store", &[]),
    ("keys", &["store"]),
    ("flows", &["keys", "store"]),
    ("idp", &["flows", "keys", "store"]),
    ("vestibule-tests", &["flows", "idp", "keys", "store"]),
    ("vestibule-browser-tests", &["flows", "keys", "store", "vestibule-tests"]),
    ("vestibule-bench", &["flows", "idp", "keys", "store", "vestibule-tests"]),
];

/// A library and the places that may name it.
const NAMED_BY: [(&str, &[&str]); 35] = [
    ("sqlx", &["store"]),
    ("redis", &["store"]),
    ("argon2", &["keys"]),
    ("aws-lc-rs", &["keys", "tests"]),
    ("axum", &["idp"]),
    ("askama", &["idp"]),
    ("lettre", &["idp"]),
    ("clap", &["idp"]),
    ("fluent-bundle", &["idp"]),
    ("reqwest", &["idp", "tests"]),
    // Types of metadata and claims; in the demo portal and the tests, a relying party with its HTTP client.
    ("openidconnect", &["flows", "idp/src/dev", "idp/src/fetch.rs", "tests"]),
    ("totp-rs", &["flows"]),
    ("webauthn-rs", &["flows"]),
    ("serde_cbor_2", &["flows"]),
    ("qrcodegen", &["idp/src/http/account"]),
    ("opentelemetry", &["idp"]),
    ("opentelemetry-http", &["idp"]),
    ("opentelemetry-otlp", &["idp"]),
    ("opentelemetry_sdk", &["idp"]),
    ("tracing-opentelemetry", &["idp"]),
    ("prometheus-client", &["idp"]),
    ("chromiumoxide", &["tests/browser"]),
    ("hyper", &["idp/src/serve"]),
    ("hyper-util", &["idp/src/serve"]),
    ("rustls", &["idp/src/mail", "idp/src/serve"]),
    ("rustls-native-certs", &["idp/src/mail"]),
    ("tokio-rustls", &["idp/src/mail", "idp/src/serve"]),
    ("x509-cert", &["idp/src/serve"]),
    ("tikv-jemallocator", &["idp/src/main.rs"]),
    // The OS user who runs a command.
    ("nix", &["idp/src/cli/os_user.rs"]),
    ("rcgen", &["idp/src/mail", "tests"]),
    // Finds the sources for these tests.
    ("cargo_metadata", &["tests/it/architecture"]),
    ("proc-macro2", &["tests/it/architecture"]),
    ("syn", &["tests/it/architecture"]),
    // `keys` signs and verifies with keys that are parsed once (decision 20).
    ("jsonwebtoken", &[]),
];

/// A package of the workspace.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    /// Path relative to the workspace, with `/`.
    pub(super) folder: String,
    /// Its dependencies from all sections of its Cargo.toml, by the names that the sources use.
    dependencies: Vec<String>,
}

/// The packages of the workspace.
pub(super) fn packages() -> &'static [Package] {
    static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
        let mut command = MetadataCommand::new();
        command.current_dir(vestibule_tests::workspace_root()).no_deps();
        let options = ["--offline", "--locked"].map(str::to_owned);
        let metadata = command.other_options(options).exec().expect("cargo reads the manifests");
        let package = |package: &cargo_metadata::Package| {
            let folder = package.manifest_path.parent().expect("a folder");
            let folder = folder.strip_prefix(&metadata.workspace_root).expect("a member");
            let dependencies = package.dependencies.iter();
            Package {
                name: package.name.to_string(),
                folder: folder.to_string(),
                dependencies: dependencies
                    .map(|dependency| {
                        dependency.rename.as_ref().unwrap_or(&dependency.name).clone()
                    })
                    .collect(),
            }
        };
        metadata.packages.iter().map(package).collect()
    });
    &PACKAGES
}

/// The package that contains a path of a folder or a file.
pub(super) fn package_of(path: &str) -> Option<&'static Package> {
    let holding = packages().iter().filter(|package| is_in(path, &package.folder));
    holding.max_by_key(|package| package.folder.len())
}

/// Whether a path is this place or inside it.
pub(super) fn is_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The names that can begin a path into another crate.
pub(super) fn library_names() -> HashSet<String> {
    let ours = packages().iter().map(|package| &package.name);
    let dependencies = packages().iter().flat_map(|package| &package.dependencies);
    let names = ours.chain(dependencies).map(|name| name.replace('-', "_"));
    names.chain(["std", "core", "alloc"].map(str::to_owned)).collect()
}

/// Where a source, its tests included, names a crate as the root of a path.
fn places_naming(source: &Source, krate: &str) -> Vec<String> {
    let krate = krate.replace('-', "_");
    let of_it = |meanings: &[String]| {
        meanings.iter().any(|meaning| meaning.split("::").next() == Some(krate.as_str()))
    };
    let paths =
        source.all(FactKind::Path).filter(|fact| of_it(&fact.meanings)).map(|fact| &fact.at);
    let imports = source.facts.imports.iter().filter(|i| of_it(&i.meanings)).map(|i| &i.at);
    paths.chain(imports).map(|at| format!("{} names {krate}", source.location(at))).collect()
}

#[test]
fn package_dependencies_follow_layer_order() {
    let mut known: Vec<&str> = packages().iter().map(|package| package.name.as_str()).collect();
    let mut listed = LEFT_OF.map(|(name, _)| name);
    known.sort_unstable();
    listed.sort_unstable();
    assert_eq!(known, listed, "LEFT_OF has a row for each package of the workspace");
    for package in packages() {
        let row = LEFT_OF.iter().find(|(name, _)| *name == package.name);
        let mut ours = package.dependencies.clone();
        ours.retain(|name| listed.contains(&name.as_str()));
        ours.sort();
        assert_eq!(
            ours,
            row.map_or(&[][..], |(_, left)| *left),
            "{}/Cargo.toml: the order is store <- keys <- flows <- idp <- tests <- browser, bench; move what is \
             needed to the left, or hand it in as a parameter",
            package.folder
        );
    }
}

#[test]
fn package_imports_follow_layer_order() {
    let mut findings = Vec::new();
    for (package, left) in LEFT_OF {
        let right = LEFT_OF.map(|(name, _)| name);
        let right = right.iter().filter(|name| **name != package && !left.contains(name));
        for name in right {
            let own = sources().iter().filter(|source| source.krate() == package);
            findings.extend(own.flat_map(|source| places_naming(source, name)));
        }
    }
    assert_none(
        &findings,
        "a crate names only crates to its left (store <- keys <- flows <- idp <- tests <- browser, bench):",
    );
}

#[test]
fn library_is_dependency_of_its_package() {
    let mut findings = Vec::new();
    for package in packages() {
        for name in &package.dependencies {
            let row = NAMED_BY.iter().find(|(library, _)| library == name);
            let inside = |place: &&str| {
                let own = package_of(place).is_some_and(|holding| holding.name == package.name);
                own || is_in(&package.folder, place)
            };
            if row.is_some_and(|(_, places)| !places.iter().any(inside)) {
                findings.push(format!("{}/Cargo.toml depends on {name}", package.folder));
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
fn every_dependency_is_used() {
    let mut findings = Vec::new();
    for package in packages() {
        for name in &package.dependencies {
            let mut own = sources().iter().filter(|source| source.krate() == package.name);
            if own.all(|source| places_naming(source, name).is_empty()) {
                findings.push(format!("{}/Cargo.toml depends on {name}", package.folder));
            }
        }
    }
    assert_none(&findings, "no source names these dependencies; remove them:");
}

#[test]
fn library_is_used_in_listed_places() {
    let mut findings = Vec::new();
    for (library, places) in NAMED_BY {
        let others = sources().iter().filter(|s| !places.iter().any(|place| s.is_in(place)));
        findings.extend(others.flat_map(|source| places_naming(source, library)));
    }
    assert_none(
        &findings,
        "one place names a library; do it there, behind a function of ours (NAMED_BY in tests/it/architecture/crates.rs \
         says where):",
    );
}

#[test]
fn crate_name_at_path_root_is_found() {
    for text in [
        "fn a() { redis::cmd() }",
        "fn a() { ::redis::cmd() }",
        "fn a() { assert!(x, redis::cmd()) }",
        "use redis::aio;",
        "use redis;",
        "use {redis as r, b};",
        "#[redis::main]\nfn a(b: &redis::Cmd) {}",
    ] {
        assert!(!places_naming(&read_one(text), "redis").is_empty(), "{text}");
    }
    for text in [
        "fn a(redis: &str) {} // redis::cmd",
        "use crate::config::redis;\nfn a() { redis::url() }",
        "mod redis {}\nfn a() { redis::url() }",
        "fn a() { Ephemeral::redis(url); b(redis); redis() }",
        "fn a() { ephemeral::redis::connect() }",
    ] {
        assert_eq!(places_naming(&read_one(text), "redis"), Vec::<String>::new(), "{text}");
    }
}
