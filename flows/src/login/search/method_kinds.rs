//! The two kinds of method: worlds in which the second step is held, may be either, or is both steps in one. The other
//! searches have only a mailed method.

use super::{
    super::method::Method,
    Bounds, FULL_BOUNDS, UNMODIFIED, VICTIM_ONLY, VICTIM_TABS,
    conversion::OfferedMethods,
    executor::Rules,
    run_search,
    test_methods::{APP, EMAIL, KEY, LIST, PAPER_MAIL},
};

/// The program with these methods, the default first.
pub(super) const fn offering(methods: &'static [Method]) -> Rules {
    Rules { offered: OfferedMethods(methods), ..UNMODIFIED }
}

#[test]
fn held_method_in_flight_is_safe() {
    let rules = offering(&[APP]);
    run_search("a held method", &FULL_BOUNDS, &rules);
    let bounds = Bounds { in_flight: 1, people: VICTIM_ONLY, ..FULL_BOUNDS };
    run_search("a held method in flight", &bounds, &rules);
    let bounds =
        Bounds { in_flight: 1, split: true, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    run_search("a held method at two moments", &bounds, &rules);
}

#[test]
fn held_method_planted_cookie_is_safe() {
    let bounds = Bounds { tabs: &[0, 2], ..FULL_BOUNDS };
    let rules = Rules { planted: true, ..offering(&[APP]) };
    run_search("a held method and a planted cookie", &bounds, &rules);
}

#[test]
fn either_kind_in_flight_is_safe() {
    let bounds = Bounds { in_flight: 1, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    run_search("either kind in flight", &bounds, &offering(&[EMAIL, APP]));
}

#[test]
fn combined_steps_are_safe() {
    run_search("both steps in one", &FULL_BOUNDS, &offering(&[APP, KEY]));
    let bounds =
        Bounds { in_flight: 1, split: true, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    run_search("both steps in one, at two moments", &bounds, &offering(&[KEY, APP]));
    let bounds = Bounds { tabs: VICTIM_TABS, ..FULL_BOUNDS };
    run_search("both steps in one beside either kind", &bounds, &offering(&[EMAIL, APP, KEY]));
}

/// A second mailed method and a second held one, which the machine does not contain: in place of the first they lead to
/// exactly the same worlds.
#[test]
fn methods_of_kind_have_equal_worlds() {
    let bounds = Bounds { people: VICTIM_ONLY, ..FULL_BOUNDS };
    let one = run_search("one of each kind", &bounds, &offering(&[EMAIL, APP]));
    let other = run_search("another of each kind", &bounds, &offering(&[PAPER_MAIL, LIST]));
    assert_eq!(one, other);
}

#[test]
fn two_methods_per_kind_are_safe() {
    let bounds = Bounds { people: VICTIM_ONLY, ..FULL_BOUNDS };
    run_search("two mailed methods", &bounds, &offering(&[EMAIL, PAPER_MAIL]));
    run_search("two held methods", &FULL_BOUNDS, &offering(&[APP, LIST]));
}

/// Larger worlds, for an optimised build.
#[cfg(not(debug_assertions))]
mod deep {
    use super::*;

    #[test]
    fn either_kind_full_world_is_safe() {
        run_search("either kind, all persons", &FULL_BOUNDS, &offering(&[EMAIL, APP]));
    }

    #[test]
    fn either_kind_beside_attacker_is_safe() {
        let bounds = Bounds { flights: 1, people: VICTIM_ONLY, changes: 0, ..FULL_BOUNDS };
        run_search("either kind in flight beside the attacker", &bounds, &offering(&[EMAIL, APP]));
    }

    #[test]
    fn either_kind_split_transaction_is_safe() {
        let bounds = Bounds {
            flights: 1,
            split: true,
            tabs: VICTIM_TABS,
            people: VICTIM_ONLY,
            ..FULL_BOUNDS
        };
        run_search("either kind at two moments", &bounds, &offering(&[EMAIL, APP]));
    }

    #[test]
    fn combined_steps_in_flight_are_safe() {
        let bounds = Bounds { flights: 1, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
        run_search("both steps in one, in flight", &bounds, &offering(&[EMAIL, APP, KEY]));
    }

    #[test]
    fn either_kind_planted_cookie_is_safe() {
        let bounds = Bounds { tabs: &[0, 2], ..FULL_BOUNDS };
        let rules = Rules { planted: true, ..offering(&[EMAIL, APP, KEY]) };
        run_search("either kind and a planted cookie", &bounds, &rules);
    }

    #[test]
    fn two_held_posts_are_safe() {
        let bounds = Bounds { flights: 2, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
        run_search("two held posts in flight", &bounds, &offering(&[APP, KEY]));
    }
}
