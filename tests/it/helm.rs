//! The Helm chart and its image. `helm/tests/check.py` renders and checks the chart, the program reads the configuration
//! that the chart renders, and it runs from the root folder of the image.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use idp::config::Config;
use tempfile::TempDir;
use vestibule_tests::proc::idp_command;

/// The secrets that the pods mount as files. Here a variable replaces each file.
const SECRETS: [(&str, &str); 3] = [
    ("IDP__DATABASE__URL", "postgres://vestibule@db.internal/vestibule"),
    ("IDP__EPHEMERAL__URL", "redis://redis.internal:6379"),
    ("IDP__SMTP__PASSWORD", "not a real one"),
];

/// The problems that the program finds in a configuration of the chart, except the certificate, which is missing here.
fn problems(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("the check leaves it");
    let password = text.contains("password_file");
    let variables = SECRETS
        .iter()
        .filter(|(name, _)| password || !name.contains("PASSWORD"))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let Err(errors) = Config::load(Some(file), variables) else { return Vec::new() };
    let problems = errors.problems().iter().filter(|problem| !problem.key.starts_with("tls"));
    problems.map(ToString::to_string).collect()
}

#[test]
fn chart_renders_valid_configurations() {
    let root = vestibule_tests::workspace_root();
    let python = root.join("target/tools/helm/bin/python");
    assert!(python.exists(), "scripts/prepare installs the tools that check the chart");
    let folder = TempDir::new().expect("a folder");
    let check = Command::new(python)
        .arg(root.join("helm/tests/check.py"))
        .arg(folder.path())
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{said}{}", String::from_utf8_lossy(&check.stderr));
    println!("{}", said.trim());
    for set in ["minimal", "full", "off"] {
        let problems = problems(&folder.path().join(format!("{set}.toml")));
        assert_eq!(problems, Vec::<String>::new(), "{set}");
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Runs the program as the image would: with the loader and the C library of the image only.
#[test]
fn image_contains_only_needed_files() {
    let folder = TempDir::new().expect("a folder");
    let image = folder.path().join("image");
    let program = idp_command().as_std().get_program().to_owned();
    let made = Command::new(vestibule_tests::workspace_root().join("scripts/image-root"))
        .arg(program)
        .arg(&image)
        .output()
        .expect("it starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let files = files(&image);
    let is_library = |path: &&PathBuf| path.to_string_lossy().contains(".so");
    let (libraries, others): (Vec<_>, Vec<_>) = files.iter().partition(is_library);
    let mut others: Vec<_> = others
        .iter()
        .map(|path| path.strip_prefix(&image).expect("inside").display().to_string())
        .collect();
    others.sort();
    let wanted = [
        "etc/group",
        "etc/nsswitch.conf",
        "etc/passwd",
        "etc/ssl/certs/ca-certificates.crt",
        "usr/bin/idp",
    ];
    assert_eq!(others, wanted);
    let loader = libraries.iter().find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-"))
    });
    let folders: Vec<_> = libraries.iter().filter_map(|path| path.parent()).collect();
    let said = Command::new(loader.expect("a loader"))
        .arg("--library-path")
        .arg(std::env::join_paths(folders).expect("plain names"))
        .args([image.join("usr/bin/idp").as_os_str(), "--version".as_ref()])
        .output()
        .expect("it starts");
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        concat!("idp ", env!("CARGO_PKG_VERSION"), "\n"),
        "{said:?}"
    );
}
