//! The list of pages: each template, and each text of the message pages.

/// The quoted texts after each occurrence of `mark`.
fn quoted<'s>(source: &'s str, mark: &str) -> Vec<&'s str> {
    source.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn source(file: &str) -> String {
    std::fs::read_to_string(vestibule_tests::workspace_root().join(file)).expect("a source")
}

/// The names in a list of pages in `idp/src/http/page.rs`.
fn page_names(page: &str, list: &str) -> Vec<String> {
    let (_, rest) = page.split_once(&format!("const {list}: ")).expect("the list");
    let (entries, _) = rest.split_once("];\n").expect("its end");
    quoted(entries, "(\"").into_iter().map(|name| name.replace('_', "-")).collect()
}

/// The names of all pages, as the walk uses them.
fn all_pages() -> Vec<String> {
    let views = ["idp/src/view/mod.rs", "idp/src/view/account.rs"].map(source).concat();
    let page = source("idp/src/http/page.rs");
    let templates = quoted(&views, "#[template(path = \"").into_iter();
    let templates = templates.filter_map(|path| path.strip_suffix(".html"));
    let templates = templates.map(|path| path.trim_start_matches("account/"));
    let own = templates.filter(|name| !["notice", "failure"].contains(name));
    let mut all: Vec<String> = own.map(|name| name.replace('_', "-")).collect();
    all.extend(page_names(&page, "NOTICES"));
    all.extend(page_names(&page, "FAILURES").into_iter().map(|name| format!("failure-{name}")));
    assert!(all.len() > 20, "the lists are read: {all:?}");
    all
}

/// The names of the failure pages.
pub(super) fn failures() -> Vec<String> {
    page_names(&source("idp/src/http/page.rs"), "FAILURES")
}

/// The pages that were not checked. A page is checked under its name, or under its name with a suffix.
pub(super) fn unvisited(seen: &[String]) -> Vec<String> {
    let looked = |page: &str| {
        seen.iter().any(|seen| {
            seen.strip_prefix(page).is_some_and(|word| word.is_empty() || word.starts_with('-'))
        })
    };
    all_pages().into_iter().filter(|page| !looked(page)).collect()
}
