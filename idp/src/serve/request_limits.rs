//! Limits on requests in flight, in total and for one network, so that one client cannot use up the memory: an HTTP/2
//! connection carries many requests.
//!
//! A request is either being handled, or it waits for its client: its body is still to come, or its answer is not read
//! yet. Both kinds have shares of their own, so that slow clients take nothing from those that have sent. A request beyond
//! the first share is refused. Beyond the second one of those that wait gives way: the oldest of the connection that has most
//! of them, which is an attacker's rather than that of a client on a slow line.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
};
use flows::network::Network;
use hyper::Response;
use tokio::sync::Notify;

use super::network_counts::{CountLimits, Full, NetworkCounts};
use crate::config::{LimitsConfig, ProxiesConfig};

/// One of this many requests may wait for its client.
const WAITING_SHARE: usize = 4;

/// The most networks whose refusal is remembered, so that it is logged once.
const MAX_LOGGED: usize = 100;

const TEXT: &str = "This service has too many requests at this moment.\nNothing was done. Wait a few seconds, then \
                    reload this page.\n\nHe nui rawa ngā tono i tēnei wā.\nKāore i mahia tētahi mea. Taihoa mō ētahi \
                    hēkona, ka uta anō i tēnei whārangi.\n";

/// The answer to a request beyond a limit. It is not a page of ours: refusing must be cheap.
pub(super) fn answer() -> Response<Body> {
    let mut response = Response::new(Body::from(TEXT));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::RETRY_AFTER, "2"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The limits of one listener, and its requests in flight.
#[derive(Debug)]
pub(super) struct RequestLimits {
    handled: CountLimits,
    waiting: CountLimits,
    proxies: ProxiesConfig,
    in_flight: Mutex<InFlight>,
    connections: AtomicU64,
}

#[derive(Debug, Default)]
struct InFlight {
    handled: NetworkCounts,
    waiting: NetworkCounts,
    /// Those that wait for their clients, the oldest first.
    queue: BTreeMap<u64, Waiting>,
    next: u64,
    /// How many of each connection wait.
    of_connection: HashMap<ConnectionId, usize>,
    /// The limits that are reached and logged.
    logged: HashSet<(Share, Full)>,
}

/// What a request in flight counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Share {
    /// Those that are being handled.
    Handled,
    /// Those that wait for their clients.
    Waiting,
}

#[derive(Debug)]
struct Waiting {
    networks: Networks,
    connection: ConnectionId,
    give_way: Arc<Notify>,
}

/// The number of a connection.
pub(super) type ConnectionId = u64;
/// The networks that a request counts against.
pub(super) type Networks = Arc<[Network]>;

impl RequestLimits {
    pub(super) fn new(limits: &LimitsConfig, proxies: ProxiesConfig) -> Arc<Self> {
        let share = |all: usize| (all / WAITING_SHARE).max(1);
        let waiting = CountLimits {
            all: share(limits.requests),
            per_network: share(limits.requests_per_network),
        };
        let rest = |all: usize, waiting: usize| all.saturating_sub(waiting).max(1);
        let handled = CountLimits {
            all: rest(limits.requests, waiting.all),
            per_network: rest(limits.requests_per_network, waiting.per_network),
        };
        Arc::new(Self {
            handled,
            waiting,
            proxies,
            in_flight: Mutex::default(),
            connections: AtomicU64::new(0),
        })
    }

    /// The number of a new connection.
    pub(super) fn next_connection(&self) -> ConnectionId {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// The networks of a client. A trusted proxy's own address has none, because it stands for many clients; nor has an
    /// unknown one.
    pub(super) fn networks(&self, client: Option<IpAddr>) -> Networks {
        match client {
            Some(address) if !self.proxies.trusts(address) => Network::containing(address).into(),
            _ => Arc::default(),
        }
    }

    /// Counts a request as being handled, until the permit is dropped.
    pub(super) fn acquire(self: &Arc<Self>, networks: &Networks) -> Result<RequestPermit, Full> {
        let mut in_flight = self.lock();
        if let Some(full) = in_flight.handled.reached(self.handled, networks) {
            in_flight.log_once(Share::Handled, full);
            return Err(full);
        }
        in_flight.handled.add(networks);
        Ok(RequestPermit { limits: Arc::clone(self), networks: Arc::clone(networks) })
    }

    /// Counts a request as waiting for its client, until the guard is dropped. Where the share is full, another one gives
    /// way: what it passed as `give_way` is notified.
    pub(super) fn wait(
        self: &Arc<Self>,
        networks: &Networks,
        connection: ConnectionId,
        give_way: &Arc<Notify>,
    ) -> WaitingGuard {
        let mut in_flight = self.lock();
        while let Some(full) = in_flight.waiting.reached(self.waiting, networks) {
            in_flight.log_once(Share::Waiting, full);
            if !in_flight.end_one(full) {
                break;
            }
        }
        let id = in_flight.next;
        in_flight.next += 1;
        in_flight.waiting.add(networks);
        *in_flight.of_connection.entry(connection).or_default() += 1;
        let (networks, give_way) = (Arc::clone(networks), Arc::clone(give_way));
        let waiting = Waiting { networks, connection, give_way };
        in_flight.queue.insert(id, waiting);
        drop(in_flight);
        WaitingGuard { limits: Arc::clone(self), id }
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Ends one that counts against a full limit. `false` if there is none.
    fn end_one(&mut self, full: Full) -> bool {
        let counts = |waiting: &Waiting| match full {
            Full::Listener => true,
            Full::Network(network) => waiting.networks.contains(&network),
        };
        // The last of equals is the oldest, in this order.
        let candidates = self.queue.iter().rev().filter(|(_, waiting)| counts(waiting));
        let most =
            candidates.max_by_key(|(_, waiting)| self.of_connection.get(&waiting.connection));
        let Some(id) = most.map(|(id, _)| *id) else { return false };
        if let Some(oldest) = self.remove(id) {
            oldest.give_way.notify_one();
        }
        true
    }

    fn remove(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.queue.remove(&id)?;
        self.waiting.remove(&waiting.networks);
        if let Entry::Occupied(mut count) = self.of_connection.entry(waiting.connection) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        Some(waiting)
    }

    /// After a request has ended: what is free again is logged when it is reached again.
    fn forget_logged(&mut self, limits: &RequestLimits) {
        let Self { handled, waiting, logged, .. } = self;
        logged.retain(|(share, full)| match share {
            Share::Handled => !handled.is_half_free(limits.handled, *full),
            Share::Waiting => !waiting.is_half_free(limits.waiting, *full),
        });
    }

    /// Logs that a limit is reached, once until half of what it allows is free again.
    fn log_once(&mut self, share: Share, full: Full) {
        // Clients choose the number of networks, so memory and log lines need a bound.
        let many = self.logged.len() > MAX_LOGGED && full != Full::Listener;
        if many || !self.logged.insert((share, full)) {
            return;
        }
        let network = match full {
            Full::Listener => None,
            Full::Network(network) => Some(network.address()),
        };
        match (share, network) {
            (Share::Handled, None) => tracing::error!(
                "alarm: three quarters of limits.requests are being handled; further requests are refused"
            ),
            (Share::Waiting, None) => tracing::error!(
                "alarm: a quarter of limits.requests wait for their clients; the oldest of them are ended"
            ),
            (Share::Handled, Some(network)) => tracing::warn!(
                %network,
                "three quarters of limits.requests_per_network are being handled; further requests of this network are \
                 refused"
            ),
            (Share::Waiting, Some(network)) => tracing::warn!(
                %network,
                "a quarter of limits.requests_per_network wait for their clients; the oldest of this network are ended"
            ),
        }
    }
}

/// A request that is being handled.
#[derive(Debug)]
pub(super) struct RequestPermit {
    limits: Arc<RequestLimits>,
    networks: Networks,
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        let mut in_flight = self.limits.lock();
        in_flight.handled.remove(&self.networks);
        in_flight.forget_logged(&self.limits);
    }
}

/// A request that waits for its client.
#[derive(Debug)]
pub(super) struct WaitingGuard {
    limits: Arc<RequestLimits>,
    id: u64,
}

impl Drop for WaitingGuard {
    fn drop(&mut self) {
        let mut in_flight = self.limits.lock();
        // One that gave way was removed then.
        if in_flight.remove(self.id).is_some() {
            in_flight.forget_logged(&self.limits);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use flows::network::NetworkSize;

    use super::*;

    pub(crate) fn limits(requests: usize, requests_per_network: usize) -> Arc<RequestLimits> {
        let limits = LimitsConfig { requests, requests_per_network, ..LimitsConfig::default() };
        let proxies = ProxiesConfig { trusted: vec!["10.0.0.0/8".parse().unwrap()] };
        RequestLimits::new(&limits, proxies)
    }

    fn networks(limits: &RequestLimits, address: &str) -> Networks {
        limits.networks(Some(address.parse().unwrap()))
    }

    #[test]
    fn handled_requests_are_counted_per_network() {
        let limits = limits(80, 8);
        let one = networks(&limits, "203.0.113.9");
        let taken: Vec<_> = (0..6).map(|_| limits.acquire(&one).unwrap()).collect();
        assert!(matches!(limits.acquire(&one), Err(Full::Network(_))));
        let _other = limits.acquire(&networks(&limits, "203.0.113.10")).unwrap();
        drop(taken);
        drop(limits.acquire(&one).unwrap());
    }

    #[test]
    fn ipv6_48_has_fourfold_requests() {
        let limits = limits(400, 4);
        let of = |nth: u16| networks(&limits, &format!("2001:db8:1:{nth:x}::1"));
        let taken: Vec<_> = (0..12).map(|nth| limits.acquire(&of(nth)).unwrap()).collect();
        let Err(Full::Network(full)) = limits.acquire(&of(99)) else { panic!("the /48 is full") };
        assert_eq!(full.size(), NetworkSize::Ipv6Slash48);
        drop(taken);
    }

    #[test]
    fn proxy_requests_count_in_total() {
        let limits = limits(12, 4);
        let proxy = networks(&limits, "10.0.0.1");
        assert!(proxy.is_empty() && limits.networks(None).is_empty());
        let taken: Vec<_> = (0..9).map(|_| limits.acquire(&proxy).unwrap()).collect();
        assert_eq!(limits.acquire(&proxy).unwrap_err(), Full::Listener);
        drop(taken);
        assert!(limits.lock().handled.is_empty());
    }

    /// A connection with many waiting requests loses one before an older one of another connection.
    #[tokio::test]
    async fn fullest_connection_gives_way() {
        let limits = limits(400, 64);
        let network = networks(&limits, "203.0.113.9");
        let [honest, slow] = [(); 2].map(|()| Arc::new(Notify::new()));
        let _oldest = limits.wait(&network, 1, &honest);
        let _many: Vec<_> = (0..15).map(|_| limits.wait(&network, 2, &slow)).collect();
        let _next = limits.wait(&network, 3, &honest);
        slow.notified().await;
        assert_eq!(limits.lock().of_connection[&2], 14);
    }

    /// Slow clients take nothing from requests that are handled, and among equal connections the oldest is ended.
    #[tokio::test]
    async fn oldest_waiting_request_gives_way() {
        let limits = limits(400, 8);
        let (slow, other) = (networks(&limits, "203.0.113.9"), networks(&limits, "203.0.113.10"));
        let signals: Vec<_> = (0..3).map(|_| Arc::new(Notify::new())).collect();
        let neighbour = Arc::new(Notify::new());
        let elsewhere = limits.wait(&other, 9, &neighbour);
        let wait = |(connection, signal)| limits.wait(&slow, connection, signal);
        let guards: Vec<_> = (0..).zip(&signals).map(wait).collect();
        signals[0].notified().await;
        let handled = limits.acquire(&slow).unwrap();
        let ended = |signal: Arc<Notify>| async move {
            tokio::time::timeout(std::time::Duration::ZERO, signal.notified()).await.is_ok()
        };
        for signal in [&signals[1], &signals[2], &neighbour] {
            assert!(!ended(Arc::clone(signal)).await, "only the oldest of the full network ends");
        }
        drop((guards, elsewhere, handled));
        for signal in [&signals[1], &neighbour] {
            assert!(!ended(Arc::clone(signal)).await, "an end of its own notifies nothing");
        }
        let left = limits.lock();
        assert!(left.waiting.is_empty() && left.handled.is_empty() && left.queue.is_empty());
    }
}
