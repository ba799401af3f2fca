//! The rules for every page: accessible to screen readers, and within the content security policy.

use std::collections::BTreeSet;

use super::Frame;
use crate::{config::BrandLinks, locale::Locale};

/// A frame as a replica with a support line has it.
pub(crate) const FRAME: Frame<'static> = Frame {
    l: Locale::En,
    brand: "Health Portal",
    support: Some("0800 111 222"),
    home: HOME,
    links: &BrandLinks { privacy: None, accessibility: None, terms: None },
    logo: None,
    stylesheet: "/assets/vestibule-0123456789ab.css",
    script: "/assets/vestibule-0123456789ab.js",
    passkey_script: "/assets/passkey.js",
    icon: "/assets/vestibule-0123456789ab.png",
};

const HOME: &str = "https://www.example.org/";
/// The one script, which is ours.
const SCRIPT: &str = "<script src=\"/assets/vestibule-0123456789ab.js\" defer></script>";

/// The same frame in every language.
pub(crate) fn frame_per_locale() -> [Frame<'static>; 2] {
    Locale::ALL.map(|l| Frame { l, ..FRAME })
}

/// Elements that must have a text.
const TEXT_ELEMENTS: [&str; 9] =
    ["title", "h1", "h2", "p", "label", "button", "li", "summary", "a"];

/// Checks a page against the rules for every page.
pub(crate) fn assert_valid_page(html: &str, l: Locale) {
    let opening = format!("<!doctype html>\n<html lang=\"{}\">", l.tag());
    assert!(html.starts_with(&opening), "{html}");
    assert_eq!(tags(html, "h1").count(), 1, "one heading of the first rank: {html}");
    assert_eq!(tags(html, "title").count(), 1, "a title: {html}");
    assert_eq!(tags(html, "main").count(), 1, "one main part: {html}");
    let own =
        html.replace(SCRIPT, "").replace(&format!("<a class=\"button\" href=\"{HOME}\">"), "");
    for forbidden in
        ["<script", "<style", " style=", " onclick=", " onsubmit=", "javascript:", "://"]
    {
        assert!(!own.contains(forbidden), "{forbidden}: {html}");
    }
    // What Fluent leaves when an argument is missing.
    for left in ["{$", "{ $", "{ -"] {
        assert!(!html.contains(left), "{left}: {html}");
    }
    for element in TEXT_ELEMENTS {
        for content in contents(html, element) {
            assert!(!text_content(content).is_empty(), "an empty {element}: {html}");
        }
    }
    assert_ids_and_labels(html);
    assert_problem_shown(html, l);
    assert_language_switch(html, l);
}

/// Every id is unique, every reference to an id resolves, and every visible field has a label.
fn assert_ids_and_labels(html: &str) {
    let all: Vec<_> = all_tags(html).filter_map(|tag| attribute(tag, "id")).collect();
    let ids: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!(ids.len(), all.len(), "an id is not unique: {html}");
    for tag in all_tags(html) {
        let link = attribute(tag, "href").and_then(|to| to.strip_prefix('#'));
        let named = ["for", "aria-describedby", "aria-labelledby"].map(|name| attribute(tag, name));
        for id in named.into_iter().chain([link]).flatten().flat_map(|ids| ids.split(' ')) {
            assert!(ids.contains(id), "{tag} points to nothing: {html}");
        }
    }
    let labels: BTreeSet<_> = tags(html, "label").filter_map(|tag| attribute(tag, "for")).collect();
    for input in tags(html, "input").filter(|tag| attribute(tag, "type") != Some("hidden")) {
        let id = attribute(input, "id");
        assert!(id.is_some_and(|id| labels.contains(id)), "{input} has no label: {html}");
        assert!(attribute(input, "autocomplete").is_some(), "{input}: {html}");
        for unwanted in ["maxlength", "pattern", "size"] {
            assert!(attribute(input, unwanted).is_none(), "{input}: {html}");
        }
    }
}

/// Each other language has a link with its own name; the link has the parameters that the switch needs to return.
fn assert_language_switch(html: &str, l: Locale) {
    let links: Vec<_> = tags(html, "a").filter(|tag| tag.contains("/language?")).collect();
    let others: Vec<_> = Locale::ALL.into_iter().filter(|other| *other != l).collect();
    assert_eq!(links.len(), others.len(), "{html}");
    for (link, other) in links.into_iter().zip(others) {
        assert_eq!(attribute(link, "lang"), Some(other.tag()), "{link}");
        let to = attribute(link, "href").unwrap_or_default();
        let (start, rest) = to.split_once("&amp;").unwrap_or_else(|| panic!("leads nowhere: {to}"));
        assert_eq!(start, format!("/language?to={}", other.tag()));
        assert!(rest.starts_with("step=") || rest.starts_with("page="), "{to}");
        assert!(html.contains(&format!(">{}</a>", other.name())), "{html}");
    }
}

/// A problem is shown three times: in the title, above the heading with a link, in few words, and at its field, with what to
/// do.
fn assert_problem_shown(html: &str, l: Locale) {
    let title = contents(html, "title").next().unwrap_or_default();
    let Some((before, _)) = html.split_once("<h1") else { unreachable!() };
    let summary = before.contains("role=\"alert\"");
    assert_eq!(title.starts_with(l.t("problem-prefix")), summary, "title and summary: {html}");
    assert_eq!(html.matches("role=\"alert\"").count(), usize::from(summary), "{html}");
    assert_eq!(
        html.matches("class=\"error\"").count(),
        usize::from(summary),
        "at its place: {html}"
    );
    if let Some((_, rest)) = before.split_once("role=\"alert\"") {
        assert!(rest.contains(l.t("problem-title")), "{html}");
        let problem = contents(rest, "a").next().unwrap_or_default();
        let first = problem.split(". ").next().unwrap_or(problem);
        let details = contents(html, "p").filter(|text| text.starts_with(first)).count();
        assert_eq!(details, 1, "{problem}: {html}");
        assert!(problem.chars().count() <= 90, "{problem} leaves no room for the field");
    }
}

/// The opening tags of a kind, without their brackets.
pub(crate) fn tags<'h>(html: &'h str, element: &str) -> impl Iterator<Item = &'h str> {
    all_tags(html).filter(move |tag| tag.split([' ', '\n']).next() == Some(element))
}

fn all_tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|part| part.split_once('>').map(|(tag, _)| tag))
}

/// The contents of the elements of a kind.
pub(crate) fn contents<'h>(html: &'h str, element: &str) -> impl Iterator<Item = &'h str> {
    let (open, close) = (format!("<{element}"), format!("</{element}>"));
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once(open.as_str())?;
            rest = after;
            if !after.starts_with([' ', '>']) {
                continue;
            }
            let (_, inside) = after.split_once('>')?;
            return inside.split_once(close.as_str()).map(|(content, _)| content);
        }
    })
}

fn text_content(content: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for c in content.chars() {
        match c {
            '<' => is_tag = true,
            '>' => is_tag = false,
            c if !is_tag => text.push(c),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// The value of an attribute of a tag.
pub(crate) fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}
