//! A scrape of `/metrics`, parsed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{app::Replica, wait};

/// One scrape, as OpenMetrics text.
#[derive(Clone)]
pub struct Scrape {
    /// The body of the answer.
    pub text: String,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One line: name, labels, value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Name with its suffix.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

impl Scrape {
    /// Scrapes a replica.
    pub async fn fetch(replica: &Replica) -> Self {
        let url = format!("http://{}/metrics", replica.ops);
        let answer = reqwest::get(url).await.expect("it answers");
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
        let text = answer.text().await.expect("text");
        assert!(text.ends_with("# EOF\n"), "{text}");
        Self { text }
    }

    /// Scrapes a replica until the result is as wanted: background work is counted after it is done, and some values are
    /// cached for a while.
    pub async fn until(replica: &Replica, what: &str, is: impl Fn(&Self) -> bool) -> Self {
        let scrape = async || {
            let scrape = Self::fetch(replica).await;
            if is(&scrape) { Ok(scrape) } else { Err(scrape) }
        };
        wait::until(what, scrape).await
    }

    /// All samples.
    pub fn samples(&self) -> Vec<Sample> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect()
    }

    /// The value of a name whose labels contain these; the sum if there are several samples.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &Sample| {
            labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|v| v == value))
        };
        let found: Vec<f64> = self
            .samples()
            .into_iter()
            .filter(|sample| sample.name == name && has(sample))
            .map(|sample| sample.value)
            .collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }

    /// Names of the families, without the suffixes of histograms and counters.
    pub fn names(&self) -> BTreeSet<String> {
        let types = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types
            .map(|line| match line.split_once(' ').expect("name and kind") {
                (name, "counter") => format!("{name}_total"),
                (name, "info") => format!("{name}_info"),
                (name, _) => name.to_owned(),
            })
            .collect()
    }

    /// The labels of a name's samples, except `le`.
    pub fn labels(&self, name: &str) -> BTreeSet<String> {
        let of = |sample: &Sample| {
            ["", "_count", "_sum", "_bucket"]
                .iter()
                .any(|end| sample.name == format!("{name}{end}"))
        };
        let samples = self.samples().into_iter().filter(of);
        samples.flat_map(|sample| sample.labels.into_keys()).filter(|label| label != "le").collect()
    }
}

/// `name{label="value",..} 1.0`; none of our values has a quote in it.
fn sample(line: &str) -> Option<Sample> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let labels = labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (name, value) = label.split_once("=\"")?;
        Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
    });
    Some(Sample {
        name: name.to_owned(),
        labels: labels.collect::<Option<_>>()?,
        value: value.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrape_values_and_labels_are_parsed() {
        let text = "# TYPE a counter\na_total{b=\"c d\",e=\"f\"} 2\na_total{b=\"x\",e=\"f\"} 3\n# TYPE g histogram\n\
                    g_bucket{le=\"+Inf\",h=\"i\"} 1\n# EOF\n";
        let scrape = Scrape { text: text.to_owned() };
        assert_eq!(scrape.value("a_total", &[("b", "c d")]), Some(2.0));
        assert_eq!(scrape.value("a_total", &[]), Some(5.0));
        assert_eq!(scrape.value("a_total", &[("b", "nobody")]), None);
        assert_eq!(scrape.names().into_iter().collect::<Vec<_>>(), ["a_total", "g"]);
        assert_eq!(scrape.labels("g").into_iter().collect::<Vec<_>>(), ["h"]);
    }
}
