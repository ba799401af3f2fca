//! The simulated attacks, small: `scripts/bench attacks` runs them large. Each lets an honest person sign in meanwhile,
//! and fails where that fails.

use vestibule_tests::{
    attacks::{self, Scale},
    on_both_engines,
};

const SMALL: Scale = Scale { addresses: 60, accounts: 60, posts: 30 };

on_both_engines! {
    async fn credentials_are_stuffed(engine) {
        let outcome = attacks::stuffing(engine, SMALL).await;
        println!("{outcome}");
        assert_eq!((outcome.second_steps, outcome.mailed, outcome.sign_ins), (1, 1, 0));
    }

    async fn every_account_gets_one_guess(engine) {
        let outcome = attacks::one_guess_each(engine, SMALL).await;
        println!("{outcome}");
        assert_eq!((outcome.judged, outcome.second_steps, outcome.sign_ins), (60, 0, 0));
    }

    async fn one_person_is_to_be_locked_out(engine) {
        let outcome = attacks::lock_out(engine, SMALL).await;
        println!("{outcome}");
        assert_eq!((outcome.judged, outcome.refused.0, outcome.sign_ins), (10, 20, 0));
    }

    async fn the_hashing_queue_is_to_be_filled(engine) {
        let outcome = attacks::full_pool(engine, Scale { posts: 120, ..SMALL }).await;
        println!("{outcome}");
        assert!(outcome.refused.1 > 0, "the queue was not full, so nothing was shown");
        assert_eq!(outcome.sign_ins, 0);
    }

    async fn one_inbox_is_flooded(engine) {
        let outcome = attacks::inbox(engine, SMALL).await;
        println!("{outcome}");
        // Six an hour for all strangers, of which the owner's first sign-in was one.
        assert_eq!((outcome.mailed, outcome.sign_ins), (5, 0));
    }
}
