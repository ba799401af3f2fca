//! What callers of one network and of one account may take of the strangers' lane of the hashing queue, so that a few clients
//! do not keep the others out.

use crate::{
    admission_queue::{AccountKey, HashingCaller, NetworkKey},
    limited_counts::{LimitedCounts, Taken},
};

/// Callers of one account that wait at once.
const CALLERS_PER_ACCOUNT: usize = 2;
/// Callers of one account from one network that wait at once: one network leaves a slot of the account to others, such as
/// its owner's.
const CALLERS_PER_ACCOUNT_AND_NETWORK: usize = 1;
/// The part of the lane that callers from one network may fill: an eighth.
const NETWORK_PART: usize = 8;

/// Callers that have a share in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ShareKey {
    Account(AccountKey),
    Network(NetworkKey),
    AccountAndNetwork(AccountKey, NetworkKey),
}

/// The shares of the lane. Clones share them.
#[derive(Clone)]
pub(crate) struct LaneShares {
    lane_slots: usize,
    waiting: LimitedCounts<ShareKey>,
}

/// A caller's part of the shares; returned when dropped.
pub(crate) type TakenShares = Taken<ShareKey>;

impl LaneShares {
    /// Creates the shares of a lane with so many slots.
    pub(crate) fn new(lane_slots: usize) -> Self {
        Self { lane_slots, waiting: LimitedCounts::default() }
    }

    /// The shares that a caller waits in, with the most callers of each.
    fn of(&self, caller: HashingCaller) -> Vec<(ShareKey, usize)> {
        match caller {
            HashingCaller::Stranger => Vec::new(),
            HashingCaller::Browser { account, network } => {
                let of_network =
                    (ShareKey::Network(network), (self.lane_slots / NETWORK_PART).max(1));
                let of_account = account.map(|account| {
                    [
                        (ShareKey::Account(account), CALLERS_PER_ACCOUNT),
                        (
                            ShareKey::AccountAndNetwork(account, network),
                            CALLERS_PER_ACCOUNT_AND_NETWORK,
                        ),
                    ]
                });
                std::iter::once(of_network).chain(of_account.into_iter().flatten()).collect()
            }
            HashingCaller::Known(account) => {
                vec![(ShareKey::Account(account), CALLERS_PER_ACCOUNT)]
            }
        }
    }

    /// Whether all shares of a caller have a slot left.
    pub(crate) fn is_available(&self, caller: HashingCaller) -> bool {
        self.waiting.has_left(&self.of(caller))
    }

    /// Takes a slot of all shares of a caller, or of none.
    pub(crate) fn try_take(&self, caller: HashingCaller) -> Option<TakenShares> {
        self.waiting.try_take(&self.of(caller))
    }

    /// Whether no caller waits.
    #[cfg(test)]
    pub(crate) fn is_unused(&self) -> bool {
        self.waiting.is_unused()
    }
}
