//! The simulated attacks, small: `scripts/bench attacks` runs them large. Each lets an honest person sign in meanwhile,
//! and fails where that fails.

use vestibule_tests::{
    attacks::{self, Scale},
    db::Engine,
};

use crate::engines::{apply, both_engines};

const SMALL: Scale = Scale { addresses: 60, accounts: 60, one_in: 20, posts: 30 };

#[apply(both_engines)]
async fn credentials_are_stuffed(engine: Engine) {
    let outcome = attacks::stuffing(engine, SMALL).await;
    println!("{outcome}");
    assert_eq!((outcome.second_steps, outcome.mailed, outcome.sign_ins), (1, 1, 0));
}

#[apply(both_engines)]
async fn every_account_gets_one_guess(engine: Engine) {
    let outcome = attacks::one_guess_each(engine, SMALL).await;
    println!("{outcome}");
    // The password of three is right. Each stands before the code, which went to somebody else.
    assert_eq!((outcome.judged, outcome.right), (60, 3));
    assert_eq!((outcome.second_steps, outcome.mailed), (3, 3));
    assert_eq!((outcome.sign_ins, outcome.sessions), (0, 0));
}

#[apply(both_engines)]
async fn codes_are_guessed_until_the_site_reacts(engine: Engine) {
    let (outcome, reaction) = attacks::code_guesses(engine, Scale { accounts: 240, ..SMALL }).await;
    println!("{outcome}\n{reaction}");
    assert_eq!(reaction.people, 12);
    // Five guesses at a code, then two; the site is told of once.
    assert_eq!((reaction.before, reaction.after), (30, 12));
    assert_eq!((reaction.budget, reaction.wrong_codes, reaction.alarms), (30, 42, 1));
    assert_eq!((outcome.right, outcome.second_steps > 0), (12, true));
    assert_eq!((outcome.mailed, outcome.sign_ins, outcome.sessions), (12, 0, 0));
}

#[apply(both_engines)]
async fn one_person_is_to_be_locked_out(engine: Engine) {
    let outcome = attacks::lock_out(engine, SMALL).await;
    println!("{outcome}");
    assert_eq!((outcome.judged, outcome.refused.0, outcome.sign_ins), (10, 20, 0));
}

#[apply(both_engines)]
async fn the_hashing_queue_is_to_be_filled(engine: Engine) {
    let outcome = attacks::full_pool(engine, Scale { posts: 120, ..SMALL }).await;
    println!("{outcome}");
    assert!(outcome.refused.1 > 0, "the queue was not full, so nothing was shown");
    assert_eq!(outcome.sign_ins, 0);
}

#[apply(both_engines)]
async fn one_inbox_is_flooded(engine: Engine) {
    let outcome = attacks::inbox(engine, SMALL).await;
    println!("{outcome}");
    // Six an hour for all strangers, of which the owner's first sign-in was one.
    assert_eq!((outcome.mailed, outcome.sign_ins), (5, 0));
}
