//! Guessing codes: an attacker who has the passwords of many people, and the effect of the site's guess budget.

use std::fmt;

use futures_util::{StreamExt, stream};

use super::{AT_ONCE, AttackOutcome, AttackTarget, Scale, accounts, address};
use crate::{
    app::Patient,
    db::Engine,
    http::{HttpBrowser, Response},
};

/// Guesses at one mailed code that the pages allow.
const TRIES: usize = 5;

/// The effect of the site's guess budget.
#[derive(Clone, Copy, Debug)]
pub struct BudgetReaction {
    /// People whose password the attacker has.
    pub people: usize,
    /// `sign_in.guess_budget`: used up by the codes of the first half of them.
    pub budget: i64,
    /// Codes that were judged at the first half.
    pub before: usize,
    /// Codes that were judged at the second half.
    pub after: usize,
    /// Wrong codes that the site has counted in the end.
    pub wrong_codes: i64,
    /// How often the alarm was logged.
    pub alarms: usize,
}

impl fmt::Display for BudgetReaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    people whose password is known{:>8}", self.people)?;
        writeln!(f, "    the site's guess budget       {:>8}", self.budget)?;
        writeln!(f, "    codes judged, first half      {:>8}", self.before)?;
        writeln!(f, "    codes judged, second half     {:>8}", self.after)?;
        writeln!(f, "    wrong codes the site counts   {:>8}", self.wrong_codes)?;
        write!(f, "    alarms                        {:>8}", self.alarms)
    }
}

impl AttackTarget {
    /// Signs in with a person's password from an address, and guesses the code as often as the page allows.
    async fn guess_code(&self, nth: usize) -> Vec<Response> {
        let email = accounts::email(nth);
        let browser = self.base_browser.without_cookies_from(&address(nth));
        let (page, _) = browser.open_sign_in_page(&self.client).await;
        let patient = Patient {
            email: email.clone(),
            password: accounts::COMMON_PASSWORD.to_owned(),
            name: String::new(),
        };
        let page = browser.submit_password(&page, &patient).await;
        let code = self.app.mail.wait_for_code(&email, 1).await;
        let guesses = self.guess_wrong_codes(&browser, &page, &code).await;
        [vec![page], guesses].concat()
    }

    /// Only wrong guesses, without the one in a million that is right: the figures are the same in each run.
    async fn guess_wrong_codes(
        &self,
        browser: &HttpBrowser,
        page: &Response,
        code: &str,
    ) -> Vec<Response> {
        let code: usize = code.parse().expect("digits");
        let mut answers = Vec::new();
        for nth in 1..=TRIES {
            let guess = format!("{:06}", (code + nth) % 1_000_000);
            answers.push(browser.submit_code(page, &guess).await);
        }
        answers
    }

    /// The same for many people; also returns how many codes were judged.
    async fn guess_codes(&self, of: std::ops::Range<usize>) -> (Vec<Response>, usize) {
        let judged = async || {
            let outcomes = self.app.audit_outcomes("code.checked").await;
            outcomes.iter().filter(|outcome| *outcome == "wrong").count()
        };
        let before = judged().await;
        let guesses = of.map(|nth| self.guess_code(nth));
        let answers: Vec<_> = stream::iter(guesses).buffer_unordered(AT_ONCE).collect().await;
        (answers.concat(), judged().await - before)
    }

    /// Refreshes the gauge, as each replica does every second, and checks the alarm, as one of them does.
    async fn refresh_budget(&self) -> i64 {
        let (live, app) = (&self.app.app().live, self.app.app());
        live.refresh_guess_count(&app.db, app.clock.now()).await.expect("it reads");
        flows::guess_budget::alarm_if_exceeded(&self.app.cx()).await.expect("it reads");
        live.wrong_codes()
    }
}

/// Five guesses at the code of each person whose password is known, each person from another address. The first half uses up
/// the site's budget; the legitimate person signs in after that.
pub async fn code_guessing(engine: Engine, scale: Scale) -> (AttackOutcome, BudgetReaction) {
    let mut ground = AttackTarget::with_large_queue(engine).await;
    let people = scale.accounts / scale.one_in;
    accounts::add(&ground.app, people, 1).await;
    let budget = people / 2 * TRIES;
    ground.app.set_setting("sign_in.guess_budget", &budget.to_string()).await;
    ground.started_at = std::time::Instant::now();
    let (mut answers, before) = ground.guess_codes(0..people / 2).await;
    ground.refresh_budget().await;
    let (more, after) = ground.guess_codes(people / 2..people).await;
    answers.extend(more);
    let wrong_codes = ground.refresh_budget().await;
    let alarms = ground.app.audit_outcomes("guess_budget.exceeded").await.len();
    let honest = ground.honest_sign_in().await;
    let outcome = ground.outcome("Guessing codes, five at each person", &answers, honest).await;
    let budget = i64::try_from(budget).expect("small");
    (outcome, BudgetReaction { people, budget, before, after, wrong_codes, alarms })
}
