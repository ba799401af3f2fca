//! How much memory the limits of a configuration can cost, against what the process may take.

use std::fs;

use crate::config::{Config, ConfigProblem, LimitsConfig};
use crate::serve::MAX_BODY;

const MIB: u64 = 1024 * 1024;
/// The process without clients: code, caches, connections to the databases (docs/performance.md).
const BASE: u64 = 28 * MIB;
/// The buffer of a hashing thread.
const HASHING_BUFFER: u64 = 19 * MIB;
/// A connection besides the head of a request: a frame of HTTP/2, 16 streams, and the state of TLS (measured: 60 to 90 KiB,
/// with heads of 100 bytes).
const CONNECTION: u64 = 64 * 1024;
/// A request besides its head and body: its handler, or its answer.
const REQUEST: u64 = 16 * 1024;

/// Where a container's limit of memory is written: control groups version 2, and version 1.
const LIMIT_FILES: [&str; 2] =
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Warns when the limits can cost more than the container's limit of memory.
pub(super) fn check(config: &Config) -> Option<ConfigProblem> {
    let limit =
        LIMIT_FILES.iter().find_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    check_against(&config.limits, config.hashing.threads, limit?)
}

fn check_against(limits: &LimitsConfig, threads: usize, limit: u64) -> Option<ConfigProblem> {
    let most = most_bytes(limits, threads);
    (most > limit).then(|| ConfigProblem {
        key: "limits.connections".to_owned(),
        text: format!(
            "costs up to {} MiB, together with limits.requests, limits.header_size and hashing.threads, and this container may \
             take {} MiB; lower one of them, or raise the container's limit",
            most.div_ceil(MIB),
            limit / MIB
        ),
    })
}

/// The most memory, while every limit is reached.
fn most_bytes(limits: &LimitsConfig, threads: usize) -> u64 {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    // Over HTTP/2 the head of a request may have twice that size.
    let head = 2 * u64::from(limits.header_size);
    let connections = number(limits.connections).saturating_mul(head + CONNECTION);
    let requests = number(limits.requests).saturating_mul(head + number(MAX_BODY) + REQUEST);
    let hashing = number(threads).saturating_mul(HASHING_BUFFER);
    BASE.saturating_add(connections).saturating_add(requests).saturating_add(hashing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_limits_fit_chart() {
        let limits = LimitsConfig::default();
        assert_eq!(most_bytes(&limits, 2).div_ceil(MIB), 575);
        assert_eq!(check_against(&limits, 2, 640 * MIB), None, "the limit of a pod in values.yaml");
        let many = LimitsConfig { connections: 8192, ..limits };
        let problem = check_against(&many, 2, 640 * MIB).unwrap();
        assert!(
            problem.text.starts_with("costs up to 959 MiB") && problem.text.contains("640 MiB")
        );
    }
}
