//! `scripts/bench attacks [ADDRESSES [ACCOUNTS]]`: the simulated attacks at a larger scale, on PostgreSQL and Redis.

use vestibule_tests::{
    attacks::{self, Scale},
    db::Engine,
};

fn number(nth: usize, default: usize) -> usize {
    std::env::args().nth(nth).and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs each attack and prints what it cost and what it gained. Panics if the legitimate person cannot sign in.
pub(crate) async fn run() {
    let scale = Scale {
        addresses: number(2, 10_000),
        accounts: number(3, 100_000),
        one_in: 100,
        posts: 1_000,
    };
    println!("{scale:?}");
    println!("{}", attacks::credential_stuffing(Engine::Postgres, scale).await);
    println!("{}", attacks::account_lockout(Engine::Postgres, scale).await);
    println!("{}", attacks::hashing_queue_flood(Engine::Postgres, scale).await);
    println!("{}", attacks::inbox_flood(Engine::Postgres, scale).await);
    let (outcome, reaction) = attacks::code_guessing(Engine::Postgres, scale).await;
    println!("{outcome}\n{reaction}");
    println!("{}", attacks::password_spraying(Engine::Postgres, scale).await);
}
