//! The content of a page and its forms, as an HTML parser reads them.

use regex::Regex;
use scraper::{ElementRef, Html, Selector};

use crate::http::Response;

/// A form of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The address that it posts to.
    pub action: String,
    /// Names and current values of its fields, without buttons.
    pub fields: Vec<(String, String)>,
}

impl Form {
    fn of(form: ElementRef<'_>) -> Self {
        let fields = select_all(form, "input[name]").into_iter();
        let fields = fields.map(|field| (attribute(field, "name"), attribute(field, "value")));
        Self { action: attribute(form, "action"), fields: fields.collect() }
    }

    /// The same form with a field filled in.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A field's current value.
    pub fn value(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.map_or("", |(_, value)| value.as_str())
    }
}

impl Response {
    /// The page, which must be valid HTML.
    fn document(&self) -> Html {
        let document = Html::parse_document(&self.body);
        let is_page = self.header("content-type").starts_with("text/html");
        assert!(!is_page || document.errors.is_empty(), "{:?}: {}", document.errors, self.body);
        document
    }

    /// The language of the page: its `lang` and its header, which must agree.
    pub fn language(&self) -> &str {
        let (document, language) = (self.document(), self.header("content-language"));
        assert_eq!(document.root_element().attr("lang"), Some(language), "{}", self.url);
        language
    }

    /// The address of the link to the other language.
    pub fn language_switch(&self) -> String {
        let document = self.document();
        let links = select_all(document.root_element(), "a[href^='/language?']");
        attribute(*links.first().expect("a switch"), "href")
    }

    /// The address of a link.
    pub fn link(&self, selector: &str) -> Option<String> {
        let document = self.document();
        let links = select_all(document.root_element(), selector);
        links.first().map(|link| attribute(*link, "href"))
    }

    /// The texts of all elements of a kind.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let document = self.document();
        let found = select_all(document.root_element(), selector);
        found.into_iter().map(|element| element.text().collect()).collect()
    }

    /// The first form of the page.
    pub fn form(&self) -> Form {
        let first = self.forms().into_iter().next();
        first.unwrap_or_else(|| panic!("no form: {} {}", self.status, self.body))
    }

    /// Every form of the page.
    pub fn forms(&self) -> Vec<Form> {
        let document = self.document();
        select_all(document.root_element(), "form").into_iter().map(Form::of).collect()
    }

    /// Whether the page has a field of this name.
    pub fn has_field(&self, name: &str) -> bool {
        !select_all(self.document().root_element(), &format!("[name='{name}']")).is_empty()
    }

    /// The page's text: no tags, white space collapsed.
    pub fn text(&self) -> String {
        let document = self.document();
        let body = select_all(document.root_element(), "body").into_iter();
        let words = body.flat_map(|body| body.text()).flat_map(str::split_whitespace);
        words.collect::<Vec<_>>().join(" ")
    }

    /// Whether the page's text contains this.
    pub fn has_text(&self, wanted: &str) -> bool {
        self.text().contains(wanted)
    }

    /// The page without what differs between people and minutes.
    pub fn masked(&self) -> String {
        let (form, mut body) = (self.form(), without_times(&self.body));
        for name in ["attempt", "form", "email"] {
            body = body.replace(form.value(name), name);
        }
        for form in self.forms() {
            for name in ["form", "ceremony"] {
                if !form.value(name).is_empty() {
                    body = body.replace(form.value(name), name);
                }
            }
        }
        let options = Regex::new("data-options=\"[^\"]*\"").expect("a pattern");
        body = options.replace_all(&body, "options").into_owned();
        let refused = Regex::new("refused=[A-Za-z0-9_-]+").expect("a pattern");
        refused.replace_all(&body, "refused").into_owned()
    }
}

/// The elements of a part that match a CSS selector.
fn select_all<'d>(part: ElementRef<'d>, selector: &str) -> Vec<ElementRef<'d>> {
    part.select(&Selector::parse(selector).expect("a selector")).collect()
}

fn attribute(element: ElementRef<'_>, name: &str) -> String {
    element.attr(name).unwrap_or_default().to_owned()
}

/// A text in which all times of day, such as "12:53 am", are the same.
fn without_times(text: &str) -> String {
    let time = Regex::new(r"\d{1,2}:\d{2} [ap]m").expect("a pattern");
    time.replace_all(text, "time").into_owned()
}
