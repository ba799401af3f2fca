//! An exhaustive search through everything that can happen to a sign-in.
//!
//! It runs the machine itself, [`machine::step`], inside a small world: two people, two tabs of one browser and one tab
//! of an attacker who knows every password, requests that are judged at one moment and applied at a later one, and
//! resets, sign-outs and lost answers at any time. Every order of events is tried, breadth first, so that the first
//! broken rule is shown with a shortest way to it. `docs/sign-in.md` says what the world leaves out.

mod alike;
mod broken;
mod cast;
mod ends;
mod executor;
mod honest;
mod invariants;
mod kinds;
mod moves;
mod names;
mod table;
mod tidy;
mod verdicts;
mod world;
mod writes;

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
};

use super::machine;
use executor::Rules;
use invariants::Violation;
use moves::{Bounds, Move, Out, Seen};
use names::Offered;
use world::{End, TABS, World};

/// What a search found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    states: usize,
    transitions: usize,
    depth: usize,
    lost: usize,
    signed_in: usize,
    after_new_password: usize,
    followed: usize,
    reissued: usize,
    at_page: usize,
}

impl Found {
    const fn count(&mut self, seen: Seen) {
        self.transitions += 1;
        match seen {
            Seen::Quiet => {}
            Seen::Lost => self.lost += 1,
            Seen::SignedIn => self.signed_in += 1,
            Seen::AfterNewPassword => self.after_new_password += 1,
            Seen::Followed => self.followed += 1,
            Seen::Reissued => self.reissued += 1,
        }
    }
}

/// A rule that was broken, and a shortest way to it.
#[derive(Debug)]
struct Report {
    rule: &'static str,
    way: Vec<(Move, World)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.rule)?;
        for (by, world) in &self.way {
            writeln!(f, "  {by:?}")?;
            for tab in &world.tabs {
                writeln!(f, "      {:?} in browser {}", tab.at, tab.browser)?;
            }
        }
        Ok(())
    }
}

/// A fast hash for keys that nobody chooses in bad faith.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
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
    /// Every world that was reached, with the move and the world that led to it first.
    reached: Vec<(World, Option<(Move, usize)>)>,
    /// Their places, by hash: at this size one hash per world halves the memory, and a shared one would be noticed.
    known: HashMap<u64, usize, BuildHasherDefault<Quick>>,
    found: Found,
}

/// Tries everything; stops at the first broken rule.
fn explore(bounds: &Bounds, rules: &Rules) -> Result<Found, Report> {
    let mut search = Search {
        bounds,
        rules,
        reached: Vec::new(),
        known: HashMap::default(),
        found: Found::default(),
    };
    search.reach(World::start(rules.planted, rules.ends).tidy(), None);
    let (mut from, mut to) = (0, 1);
    while from < to {
        for index in from..to {
            search.visit(index)?;
        }
        (from, to) = (to, search.reached.len());
        search.found.depth += usize::from(from < to);
    }
    search.found.states = search.reached.len();
    Ok(search.found)
}

impl Search<'_> {
    fn reach(&mut self, world: World, by: Option<(Move, usize)>) {
        let hash = BuildHasherDefault::<Quick>::default().hash_one(world);
        match self.known.entry(hash) {
            Entry::Vacant(new) => {
                new.insert(self.reached.len());
                self.reached.push((world, by));
            }
            Entry::Occupied(known) => {
                assert!(self.reached[*known.get()].0 == world, "two worlds share a hash");
            }
        }
    }

    fn visit(&mut self, index: usize) -> Result<(), Report> {
        let world = self.reached[index].0;
        invariants::state(&world)
            .and_then(|()| honest::check(&world, self.rules))
            .map_err(|Violation(rule)| self.report(rule, index, None))?;
        let mut out = Out::of(&world);
        moves::next(&world, self.bounds, self.rules, &mut out)
            .map_err(|(by, Violation(rule))| self.report(rule, index, Some(by)))?;
        out.seen.iter().for_each(|seen| self.found.count(*seen));
        self.found.at_page += out.at_page;
        for (by, world) in out.next {
            self.reach(world, Some((by, index)));
        }
        Ok(())
    }

    fn report(&self, rule: &'static str, mut index: usize, last: Option<Move>) -> Report {
        let mut way: Vec<(Move, World)> = Vec::new();
        let end = self.reached[index].0;
        while let (world, Some((by, before))) = self.reached[index] {
            way.push((by, world));
            index = before;
        }
        way.reverse();
        way.extend(last.map(|by| (by, end)));
        Report { rule, way }
    }
}

/// One attempt ends at a client; another of the same browser, and the attacker's, at a page of ours.
const BOTH_ENDS: [End; TABS] = [End::Client, End::Page, End::Page];
/// One end alone, in the largest worlds: `ends` shows that both have the same.
const CLIENTS: [End; TABS] = [End::Client; TABS];
const PAGES: [End; TABS] = [End::Page; TABS];

/// The machine and the executor as they are.
const SOUND: Rules = Rules {
    step: machine::step,
    without: None,
    planted: false,
    clocks: false,
    offered: Offered(&[cast::EMAIL]),
    ends: BOTH_ENDS,
};

/// Everybody and everything that happens, one post at a time.
const EVERYBODY: Bounds = Bounds {
    flights: 0,
    split: false,
    tabs: &[0, 1, 2],
    people: &[0, 1],
    resets: 1,
    changes: 1,
    anew: false,
};

/// The two tabs of the victim's browser.
const HOME: &[u8] = &[0, 1];
/// The victim alone.
const VICTIM: &[u8] = &[0];

fn search(name: &str, bounds: &Bounds, rules: &Rules) -> Found {
    let found = explore(bounds, rules).unwrap_or_else(|report| panic!("{name}: {report}"));
    let Found { states, transitions, depth, .. } = found;
    println!("{name}: {states} states, {transitions} transitions, depth {depth}");
    println!("    {found:?}");
    // A search that never gets anywhere proves nothing.
    assert!(found.signed_in > 0 && found.followed > 0 && found.reissued > 0, "{name} is vacuous");
    assert!(found.after_new_password > 0 || bounds.resets == 0, "{name} never passes a reset");
    let ended = found.signed_in + found.after_new_password + found.followed + found.reissued;
    let (at_client, at_page) = (found.at_page < ended, found.at_page > 0);
    let has = |end| rules.ends.contains(&end);
    assert!((at_client, at_page) == (has(End::Client), has(End::Page)), "{name} misses an end");
    assert!(found.lost > 0 || bounds.flights == 0, "{name} never loses a race");
    found
}

#[test]
fn full_world_is_safe() {
    search("everybody", &EVERYBODY, &SOUND);
}

#[test]
fn post_beside_attacker_is_safe() {
    // A change of password on top is among the larger worlds: it would make this one three times as large.
    let bounds = Bounds { flights: 1, people: VICTIM, changes: 0, ..EVERYBODY };
    search("a post in flight beside the attacker", &bounds, &SOUND);
}

#[test]
fn post_beside_other_person_is_safe() {
    let bounds = Bounds { flights: 1, tabs: HOME, ..EVERYBODY };
    let rules = Rules { ends: CLIENTS, ..SOUND };
    search("a post in flight beside another person", &bounds, &rules);
}

#[test]
fn split_transaction_is_safe() {
    let bounds = Bounds { flights: 1, split: true, tabs: HOME, people: VICTIM, ..EVERYBODY };
    search("a transaction that reads and writes at two moments", &bounds, &SOUND);
}

#[test]
fn consecutive_attempts_are_safe() {
    let bounds = Bounds { anew: true, tabs: HOME, ..EVERYBODY };
    search("one attempt after another", &bounds, &SOUND);
}

#[test]
fn running_clocks_are_safe() {
    let bounds = Bounds { flights: 1, tabs: HOME, people: VICTIM, ..EVERYBODY };
    search("clocks that run", &bounds, &Rules { clocks: true, ends: PAGES, ..SOUND });
}

#[test]
fn planted_cookie_is_safe() {
    let bounds = Bounds { tabs: &[0, 2], resets: 0, ..EVERYBODY };
    search("a planted cookie", &bounds, &Rules { planted: true, ..SOUND });
}

/// Larger worlds, for an optimised build: `cargo test --release -p flows --lib search -- --nocapture`.
#[cfg(not(debug_assertions))]
mod deep {
    use super::{Bounds, EVERYBODY, HOME, SOUND, VICTIM, search};

    #[test]
    fn full_world_with_post_is_safe() {
        search("everybody and a post in flight", &Bounds { flights: 1, ..EVERYBODY }, &SOUND);
    }

    #[test]
    fn full_world_consecutive_attempts_are_safe() {
        let bounds = Bounds { anew: true, ..EVERYBODY };
        search("everybody, one attempt after another", &bounds, &SOUND);
    }

    #[test]
    fn two_posts_in_flight_are_safe() {
        let bounds = Bounds { flights: 2, tabs: HOME, people: VICTIM, ..EVERYBODY };
        search("two posts in flight", &bounds, &SOUND);
    }

    #[test]
    fn split_transaction_beside_person_is_safe() {
        let bounds = Bounds { flights: 1, split: true, tabs: HOME, ..EVERYBODY };
        search("two moments and another person", &bounds, &SOUND);
    }
}
