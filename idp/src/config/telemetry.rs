//! `[telemetry]`: where traces are sent.

use url::Url;

use super::reader::Reader;

/// Traces, off unless an endpoint is given.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryConfig {
    /// The collector's address, without `/v1/traces`. Without it nothing is traced.
    pub otlp_endpoint: Option<Url>,
    /// The share of requests that is traced, unless a trusted proxy has decided. Default 0.1.
    pub sample_ratio: f64,
}

impl TelemetryConfig {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let otlp_endpoint = reader.optional("telemetry.otlp_endpoint", parse_endpoint);
        let sample_ratio = reader.or_default("telemetry.sample_ratio", 0.1, parse_ratio);
        Some(Self { otlp_endpoint: otlp_endpoint?, sample_ratio: sample_ratio? })
    }
}

/// Parses the address. It may be printed, so it must not contain a password.
fn parse_endpoint(text: &str) -> Result<Url, String> {
    let good = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    Url::parse(text).ok().filter(good).ok_or_else(|| {
        "is not the address of a collector such as `http://collector.internal:4318`".to_owned()
    })
}

fn parse_ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| format!("`{text}` is not a share from 0 to 1, such as `0.1`"))
}
