//! The waits for the hashing pool, read from the pool at a scrape: `keys` does not depend on metrics.

use std::fmt;

use keys::Hasher;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

/// The name, as in a query.
pub(super) const SHOWN: &str = "vestibule_hashing_wait_seconds";
/// The help text.
pub(super) const HELP: &str = "How long those sign-ins waited that got a slot of the hashing pool";

/// A collector for the statistics of the pool.
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
