//! The waits for a place in the hashing pool, read from the pool when they are shown: `keys` knows nothing of metrics.

use std::fmt;

use keys::Hasher;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

/// Name, as a query writes it.
pub(super) const SHOWN: &str = "vestibule_hashing_wait_seconds";
/// What it says.
pub(super) const HELP: &str =
    "How long sign-ins waited for a place in the hashing pool, those who got one";

/// The pool, as a collector.
#[derive(Debug)]
pub(super) struct HashingWaits(pub(super) Hasher);

impl Collector for HashingWaits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let history = self.0.stats().totals;
        let count = history.wait_buckets.iter().map(|(_, count)| count).sum();
        let name = SHOWN.trim_start_matches("vestibule_");
        encoder
            .encode_descriptor(name, HELP, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(
                history.wait_sum.as_secs_f64(),
                count,
                &history.wait_buckets,
                None,
            )
    }
}
