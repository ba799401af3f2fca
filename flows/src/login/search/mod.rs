//! An exhaustive search through everything that can happen to a sign-in.
//!
//! It runs the machine itself, [`machine::step`], inside a small world: two people, two tabs of one browser and one tab of
//! an attacker who has every password, requests that are checked at one moment and applied at a later one, and resets,
//! sign-outs and lost answers at any time. Every order of events is tried, breadth first, so that the first broken rule is
//! shown with a shortest path to it. `docs/sign-in.md` lists what the world omits.

mod canonicalize;
mod conversion;
mod executor;
mod goals;
mod invariants;
mod liveness;
mod method_equivalence;
mod method_kinds;
mod mutants;
mod single_step;
mod test_methods;
mod transitions;
mod verdicts;
mod world;
mod writes;

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
};

use super::machine;
use conversion::OfferedMethods;
use executor::Rules;
use invariants::Violation;
use transitions::{Bounds, Move, MoveOutcome, Successors};
use world::{GoalKind, TABS, World};

/// The numbers of a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SearchStats {
    states: usize,
    transitions: usize,
    depth: usize,
    conflicts: usize,
    signed_in: usize,
    after_new_password: usize,
    followed: usize,
    reissued: usize,
    at_page: usize,
}

impl SearchStats {
    const fn count(&mut self, seen: MoveOutcome) {
        self.transitions += 1;
        match seen {
            MoveOutcome::Quiet => {}
            MoveOutcome::Conflict => self.conflicts += 1,
            MoveOutcome::SignedIn => self.signed_in += 1,
            MoveOutcome::AfterNewPassword => self.after_new_password += 1,
            MoveOutcome::Followed => self.followed += 1,
            MoveOutcome::Reissued => self.reissued += 1,
        }
    }
}

/// A rule that was broken, and a shortest path to it.
#[derive(Debug)]
struct Counterexample {
    rule: &'static str,
    trace: Vec<(Move, World)>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.rule)?;
        for (by, world) in &self.trace {
            writeln!(f, "  {by:?}")?;
            for tab in &world.tabs {
                writeln!(f, "      {:?} in browser {}", tab.at, tab.browser)?;
            }
        }
        Ok(())
    }
}

/// A fast hash for keys that no attacker chooses.
#[derive(Default)]
struct FastHasher(u64);

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word.cast_unsigned() as u64);
    }
}

struct Search<'a> {
    bounds: &'a Bounds,
    rules: &'a Rules,
    /// Every world that was reached, with the move and the world that first led to it.
    reached: Vec<(World, Option<(Move, usize)>)>,
    /// Their indices, by hash: at this size storing one hash per world halves the memory, and a collision would be detected.
    index_by_hash: HashMap<u64, usize, BuildHasherDefault<FastHasher>>,
    stats: SearchStats,
}

/// Tries everything; stops at the first broken rule.
fn explore(bounds: &Bounds, rules: &Rules) -> Result<SearchStats, Counterexample> {
    let mut search = Search {
        bounds,
        rules,
        reached: Vec::new(),
        index_by_hash: HashMap::default(),
        stats: SearchStats::default(),
    };
    search.add_reached(World::start(rules.planted, rules.goals).canonicalize(), None);
    let (mut from, mut to) = (0, 1);
    while from < to {
        for index in from..to {
            search.expand(index)?;
        }
        (from, to) = (to, search.reached.len());
        search.stats.depth += usize::from(from < to);
    }
    search.stats.states = search.reached.len();
    Ok(search.stats)
}

impl Search<'_> {
    fn add_reached(&mut self, world: World, by: Option<(Move, usize)>) {
        let hash = BuildHasherDefault::<FastHasher>::default().hash_one(world);
        match self.index_by_hash.entry(hash) {
            Entry::Vacant(new) => {
                new.insert(self.reached.len());
                self.reached.push((world, by));
            }
            Entry::Occupied(known) => {
                assert!(self.reached[*known.get()].0 == world, "two worlds share a hash");
            }
        }
    }

    fn expand(&mut self, index: usize) -> Result<(), Counterexample> {
        let world = self.reached[index].0;
        invariants::check_state(&world)
            .and_then(|()| liveness::check(&world, self.rules))
            .map_err(|Violation(rule)| self.counterexample(rule, index, None))?;
        let mut out = Successors::of(&world);
        transitions::next(&world, self.bounds, self.rules, &mut out)
            .map_err(|(by, Violation(rule))| self.counterexample(rule, index, Some(by)))?;
        out.outcomes.iter().for_each(|seen| self.stats.count(*seen));
        self.stats.at_page += out.at_page;
        for (by, world) in out.next {
            self.add_reached(world, Some((by, index)));
        }
        Ok(())
    }

    fn counterexample(
        &self,
        rule: &'static str,
        mut index: usize,
        last: Option<Move>,
    ) -> Counterexample {
        let mut way: Vec<(Move, World)> = Vec::new();
        let end = self.reached[index].0;
        while let (world, Some((by, before))) = self.reached[index] {
            way.push((by, world));
            index = before;
        }
        way.reverse();
        way.extend(last.map(|by| (by, end)));
        Counterexample { rule, trace: way }
    }
}

/// One attempt ends at a client; another of the same browser, and the attacker's, at a page of ours.
const MIXED_GOALS: [GoalKind; TABS] = [GoalKind::Client, GoalKind::Page, GoalKind::Page];
/// One goal alone, for the largest worlds: `goals` shows that both behave alike.
const CLIENT_GOALS: [GoalKind; TABS] = [GoalKind::Client; TABS];
const PAGE_GOALS: [GoalKind; TABS] = [GoalKind::Page; TABS];

/// The machine and the executor as they are.
const UNMODIFIED: Rules = Rules {
    step: machine::step,
    without: None,
    planted: false,
    clocks: false,
    offered: OfferedMethods(&[test_methods::EMAIL]),
    goals: MIXED_GOALS,
};

/// All people and all events, one post at a time.
const FULL_BOUNDS: Bounds = Bounds {
    in_flight: 0,
    split: false,
    tabs: &[0, 1, 2],
    people: &[0, 1],
    resets: 1,
    changes: 1,
    new_attempts: false,
};

/// The two tabs of the victim's browser.
const VICTIM_TABS: &[u8] = &[0, 1];
/// The victim alone.
const VICTIM_ONLY: &[u8] = &[0];

fn run_search(name: &str, bounds: &Bounds, rules: &Rules) -> SearchStats {
    let found = explore(bounds, rules).unwrap_or_else(|report| panic!("{name}: {report}"));
    let SearchStats { states, transitions, depth, .. } = found;
    println!("{name}: {states} states, {transitions} transitions, depth {depth}");
    println!("    {found:?}");
    // A search that reaches nothing proves nothing.
    assert!(found.signed_in > 0 && found.followed > 0 && found.reissued > 0, "{name} is vacuous");
    assert!(found.after_new_password > 0 || bounds.resets == 0, "{name} never passes a reset");
    let ended = found.signed_in + found.after_new_password + found.followed + found.reissued;
    let (at_client, at_page) = (found.at_page < ended, found.at_page > 0);
    let has = |end| rules.goals.contains(&end);
    assert!(
        (at_client, at_page) == (has(GoalKind::Client), has(GoalKind::Page)),
        "{name} misses an end"
    );
    assert!(found.conflicts > 0 || bounds.in_flight == 0, "{name} never loses a race");
    found
}

#[test]
fn full_world_is_safe() {
    run_search("all persons", &FULL_BOUNDS, &UNMODIFIED);
}

#[test]
fn post_beside_attacker_is_safe() {
    // A change of password as well is among the larger worlds: it would make this one three times as large.
    let bounds = Bounds { in_flight: 1, people: VICTIM_ONLY, changes: 0, ..FULL_BOUNDS };
    run_search("a post in flight beside the attacker", &bounds, &UNMODIFIED);
}

#[test]
fn post_beside_other_person_is_safe() {
    let bounds = Bounds { in_flight: 1, tabs: VICTIM_TABS, ..FULL_BOUNDS };
    let rules = Rules { goals: CLIENT_GOALS, ..UNMODIFIED };
    run_search("a post in flight beside another person", &bounds, &rules);
}

#[test]
fn split_transaction_is_safe() {
    let bounds =
        Bounds { in_flight: 1, split: true, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    run_search("a transaction that reads and writes at two moments", &bounds, &UNMODIFIED);
}

#[test]
fn consecutive_attempts_are_safe() {
    let bounds = Bounds { new_attempts: true, tabs: VICTIM_TABS, ..FULL_BOUNDS };
    run_search("one attempt after another", &bounds, &UNMODIFIED);
}

#[test]
fn running_clocks_are_safe() {
    let bounds = Bounds { in_flight: 1, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
    run_search(
        "clocks that run",
        &bounds,
        &Rules { clocks: true, goals: PAGE_GOALS, ..UNMODIFIED },
    );
}

#[test]
fn planted_cookie_is_safe() {
    let bounds = Bounds { tabs: &[0, 2], resets: 0, ..FULL_BOUNDS };
    run_search("a planted cookie", &bounds, &Rules { planted: true, ..UNMODIFIED });
}

/// Larger worlds, for an optimised build: `cargo test --release -p flows --lib search -- --nocapture`.
#[cfg(not(debug_assertions))]
mod deep {
    use super::{Bounds, EVERYBODY, HOME, SOUND, VICTIM, search};

    #[test]
    fn full_world_with_post_is_safe() {
        run_search(
            "all people and a post in flight",
            &Bounds { flights: 1, ..FULL_BOUNDS },
            &UNMODIFIED,
        );
    }

    #[test]
    fn full_world_consecutive_attempts_are_safe() {
        let bounds = Bounds { anew: true, ..FULL_BOUNDS };
        run_search("all people, one attempt after another", &bounds, &UNMODIFIED);
    }

    #[test]
    fn two_posts_in_flight_are_safe() {
        let bounds = Bounds { flights: 2, tabs: VICTIM_TABS, people: VICTIM_ONLY, ..FULL_BOUNDS };
        run_search("two posts in flight", &bounds, &UNMODIFIED);
    }

    #[test]
    fn split_transaction_beside_person_is_safe() {
        let bounds = Bounds { flights: 1, split: true, tabs: VICTIM_TABS, ..FULL_BOUNDS };
        run_search("two moments and another person", &bounds, &UNMODIFIED);
    }
}
