//! How much memory the limits of a configuration can cost, against what the process may take.

use std::{fs, path::Path};

use crate::config::{Config, ConfigProblem, LimitsConfig};
use crate::serve::MAX_BODY;

const MIB: u64 = 1024 * 1024;
/// The process without clients: code, caches, connections to the databases (docs/performance.md).
const BASE: u64 = 28 * MIB;
/// The buffer of a hashing thread.
const HASHING_BUFFER: u64 = 19 * MIB;
/// A connection besides the head of a request: a frame of HTTP/2, 16 streams, and the state of TLS. Measured: 60 to 90 KiB.
const CONNECTION: u64 = 96 * 1024;
/// A request besides its head and body: its handler, or its answer.
const REQUEST: u64 = 16 * 1024;

/// Warns when the limits can cost more than the process may take.
pub(super) fn check(config: &Config) -> Option<ConfigProblem> {
    check_against(&config.limits, config.hashing.threads, memory_limit()?)
}

/// The lowest limit of the control groups (version 2) that this process is in: of a container or of a systemd service.
fn memory_limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let folder = root.join(path);
    let folders = folder.ancestors().take_while(|folder| folder.starts_with(root));
    folders
        .filter_map(|folder| {
            fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok()
        })
        .min()
}

fn check_against(limits: &LimitsConfig, threads: usize, limit: u64) -> Option<ConfigProblem> {
    let most = most_bytes(limits, threads);
    (most > limit).then(|| ConfigProblem {
        key: "limits.connections".to_owned(),
        text: format!(
            "costs up to {} MiB, together with limits.requests, limits.header_size and hashing.threads, and this process may \
             take {} MiB; lower one of them, or raise that limit of its container or service",
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
        assert_eq!(most_bytes(&limits, 2).div_ceil(MIB), 703);
        assert_eq!(check_against(&limits, 2, 768 * MIB), None, "the limit of a pod in values.yaml");
        let many = LimitsConfig { connections: 8192, ..limits };
        let problem = check_against(&many, 2, 768 * MIB).unwrap();
        assert!(
            problem.text.starts_with("costs up to 1215 MiB") && problem.text.contains("768 MiB")
        );
    }
}
