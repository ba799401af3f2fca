//! A transaction over the small world: what it reads, and from there the program's own code, [`Rows::facts`], the machine
//! and [`Plan::of`], to the writes.

use super::{
    super::{
        effect::{Delivery, Effect},
        machine::{Facts, Input, Person as Fact, Transition},
        method::Method,
        plan::{self, NewIds, OpenChallenge, Plan, PresentedSession, Reply, RowOwnership, Rows},
        state::State,
    },
    conversion::{OfferedMethods, challenge_id, session_id, user_id, user_number},
    invariants::{self, Violation},
    world::{
        AttemptState, CodeValidity, CodeVerdict, CookieJar, GoalKind, InFlightPost, JudgedPost,
        ReadRows, ResendAnswer, TABS, VICTIM_BROWSER, World,
    },
    writes::ModelWork,
};

/// The function under test, or a broken one.
pub(super) type StepFn = fn(State, Input, &Facts<'_>) -> Transition;

/// A guard of the executor or a rule of a verifier, which a test omits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// The state is stored only if it was not changed since it was read.
    Version,
    /// A challenge is used up only if it is open, and something held only above the last mark.
    SingleUse,
    /// A challenge of an older epoch is not joined.
    Epoch,
    /// Epoch and password version are checked again with the person's row locked.
    Lock,
    /// A tab whose challenge was superseded continues with its successor.
    Successor,
    /// The browser gets a new value before the new password.
    Browser,
    /// A code that is posted again moves only what the previous value could have continued.
    ThisAndUnmoved,
}

/// What a search runs, and with which options.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) step: StepFn,
    pub(super) without: Option<Guard>,
    /// Whether both browsers began with the same cookie.
    pub(super) planted: bool,
    /// Whether challenges have clocks of their own, instead of any validity at any moment.
    pub(super) clocks: bool,
    /// The methods that each person may answer with.
    pub(super) offered: OfferedMethods,
    /// The goal of the attempt of each tab.
    pub(super) goals: [GoalKind; TABS],
}

impl Rules {
    pub(super) fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// The browser in which a challenge counts as requested. Two browsers that share a cookie are one to the server.
    pub(super) const fn origin(&self, by: u8) -> u8 {
        if self.planted { VICTIM_BROWSER } else { by }
    }
}

/// The result of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunOutcome {
    /// Rolled back: another request was faster.
    Conflict,
    /// Committed: the step that is due is shown, with a new value of the browser cookie if there is one.
    Shown(World, Option<u8>),
    /// Committed, and signed in: with new cookies, or with the session that existed.
    SignedIn(World, Option<CookieJar>),
}

/// What the transaction reads, or has read. Without clocks, whether the open challenge can be joined is undetermined: then
/// both.
pub(super) fn possible_reads(
    world: &World,
    flight: &InFlightPost,
    at: AttemptState,
    rules: &Rules,
) -> Vec<Option<ReadRows>> {
    if flight.begun {
        return vec![flight.read];
    }
    let OfferedMethods(methods) = rules.offered;
    let state = rules.offered.to_machine_state(world, at);
    let input = rules.offered.input(world, flight.post);
    let Some(user) = plan::person_of(&state, &input).map(user_number) else { return vec![None] };
    let method = plan::challenge_method_of(&state, &input, methods).map(Method::Mailed);
    let open = method.and_then(|m| world.open(user, flight.browser, rules.offered.index_of(m)));
    let session = world.live(flight.session).map(|(number, _)| number);
    let read = |can_be_joined| {
        Some(ReadRows { user, person: world.person(user), open, can_be_joined, session })
    };
    let Some(challenge) = open.filter(|_| may_open_challenge(flight.post)) else {
        return vec![read(false)];
    };
    let row = world.challenge(challenge);
    if rules.clocks {
        vec![read(row.validity == CodeValidity::Valid && !row.spent)]
    } else if row.epoch == world.person(user).epoch || !rules.has(Guard::Epoch) {
        vec![read(true), read(false)]
    } else {
        vec![read(false)]
    }
}

/// Whether the answer to a post may be to open a challenge. [`run`] checks that no other post does.
const fn may_open_challenge(post: JudgedPost) -> bool {
    matches!(
        post,
        JudgedPost::Password(_)
            | JudgedPost::Choose { .. }
            | JudgedPost::Resend { again: ResendAnswer::New, .. }
            | JudgedPost::Code {
                code: CodeVerdict::Expired | CodeVerdict::Right(CodeValidity::Expired),
                ..
            }
    )
}

/// What a transaction has read, in the program's types. New ids are the first free numbers.
fn rows(
    world: &World,
    flight: &InFlightPost,
    read: Option<ReadRows>,
    rules: &Rules,
) -> Rows<'static> {
    let OfferedMethods(offered) = rules.offered;
    let open = read.and_then(|read| {
        let number = read.open?;
        let row = world.challenge(number);
        let epoch = if rules.has(Guard::Epoch) { row.epoch } else { read.person.epoch };
        Some(OpenChallenge {
            challenge: rules.offered.challenge(world, number),
            epoch: epoch.into(),
            can_be_joined: read.can_be_joined,
        })
    });
    let session = read.and_then(|read| read.session).map(|number| {
        let row = world.sessions[usize::from(number)].expect("it was read");
        PresentedSession { id: session_id(number), user: user_id(row.user) }
    });
    Rows {
        person: read.map(|read| Fact {
            user: user_id(read.user),
            epoch: read.person.epoch.into(),
            password_version: read.person.version.into(),
            must_change: read.person.must_change,
        }),
        offered,
        open,
        session,
        new: NewIds {
            challenge: challenge_id(world.free_challenge()),
            session: session_id(world.free_session()),
        },
        goal: world.tab(flight.tab).end.goal(),
    }
}

/// `apply::run`: runs the machine and carries out the plan. `stale`: the attempt was changed since it was loaded.
pub(super) fn run(
    world: &World,
    flight: &InFlightPost,
    read: Option<ReadRows>,
    (loaded, stale): (AttemptState, bool),
    rules: &Rules,
) -> Result<RunOutcome, Violation> {
    let rows = rows(world, flight, read, rules);
    let before = rules.offered.to_machine_state(world, loaded);
    let input = rules.offered.input(world, flight.post);
    let step = (rules.step)(before.clone(), input, &rows.facts());
    assert!(
        may_open_challenge(flight.post) || !step.effects.iter().any(opens_challenge),
        "{:?} opens",
        flight.post
    );
    invariants::check_proposed(world, flight, loaded, read, &step, rules)?;
    let owns_row = flight.browser == flight.row || !rules.has(Guard::ThisAndUnmoved);
    let plan = Plan::of(&rows, &before, &step, RowOwnership { has_row: true, owns_row });
    let after = rules.offered.model_state(&step.state);
    let mut work = ModelWork::new(world, flight, (loaded, after), stale, rules);
    for write in &plan.writes {
        if !work.write(*write) {
            return Ok(RunOutcome::Conflict);
        }
    }
    work.record_truth()?;
    let (browser, jar) = work.answer_cookies(plan.reply);
    invariants::check_committed(&work, &step, jar)?;
    Ok(match plan.reply {
        Reply::NextStep | Reply::BrowserChanged => RunOutcome::Shown(work.world, browser),
        Reply::Followed | Reply::SignedIn => RunOutcome::SignedIn(work.world, jar),
    })
}

const fn opens_challenge(effect: &Effect) -> bool {
    matches!(effect, Effect::Deliver(Delivery::Open(..) | Delivery::Replace { .. }))
}
