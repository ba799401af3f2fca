//! The simulated attacks on a small scale: `scripts/bench attacks` runs them on a large one. In each, an honest person signs
//! in meanwhile, and the test fails if that fails.

use vestibule_tests::{
    attacks::{self, Scale},
    db::Engine,
};

use crate::engines::{apply, both_engines};

const SMALL: Scale = Scale { addresses: 60, accounts: 60, one_in: 20, posts: 30 };

#[apply(both_engines)]
async fn credential_stuffing_gets_no_session(engine: Engine) {
    let outcome = attacks::credential_stuffing(engine, SMALL).await;
    println!("{outcome}");
    assert_eq!((outcome.second_steps, outcome.mailed, outcome.sign_ins), (1, 1, 0));
}

#[apply(both_engines)]
async fn password_spraying_gets_no_session(engine: Engine) {
    let outcome = attacks::password_spraying(engine, SMALL).await;
    println!("{outcome}");
    // Three passwords are right. Each attempt stops at the code, which was mailed to the account's owner.
    assert_eq!((outcome.judged, outcome.correct_passwords), (60, 3));
    assert_eq!((outcome.second_steps, outcome.mailed), (3, 3));
    assert_eq!((outcome.sign_ins, outcome.sessions), (0, 0));
}

#[apply(both_engines)]
async fn code_guessing_triggers_site_budget(engine: Engine) {
    let (outcome, reaction) =
        attacks::code_guessing(engine, Scale { accounts: 240, ..SMALL }).await;
    println!("{outcome}\n{reaction}");
    assert_eq!(reaction.people, 12);
    // Five guesses at a code, then two; one alarm for the site.
    assert_eq!((reaction.before, reaction.after), (30, 12));
    assert_eq!((reaction.budget, reaction.wrong_codes, reaction.alarms), (30, 42, 1));
    assert_eq!((outcome.correct_passwords, outcome.second_steps > 0), (12, true));
    assert_eq!((outcome.mailed, outcome.sign_ins, outcome.sessions), (12, 0, 0));
}

#[apply(both_engines)]
async fn lockout_attack_spares_owner(engine: Engine) {
    let outcome = attacks::account_lockout(engine, SMALL).await;
    println!("{outcome}");
    assert_eq!((outcome.judged, outcome.refused.0, outcome.sign_ins), (10, 20, 0));
}

#[apply(both_engines)]
async fn hashing_flood_spares_honest_sign_in(engine: Engine) {
    let outcome = attacks::hashing_queue_flood(engine, Scale { posts: 120, ..SMALL }).await;
    println!("{outcome}");
    assert!(outcome.refused.1 > 0, "the queue was not full, so the test shows nothing");
    assert_eq!(outcome.sign_ins, 0);
}

#[apply(both_engines)]
async fn inbox_flood_is_limited(engine: Engine) {
    let outcome = attacks::inbox_flood(engine, SMALL).await;
    println!("{outcome}");
    // Three an hour for one network.
    assert_eq!((outcome.mailed, outcome.sign_ins), (3, 0));
}
