//! A person who wants to sign in during an overload. When refused, they wait as long as the answer says and press "continue"
//! again, on the page of the refusal.

use std::time::{Duration, Instant};

use vestibule_tests::{
    app::Patient,
    client::PendingRequest,
    http::{HttpBrowser, Response},
};

use crate::load::LoadGenerator;

/// A person with a sign-in page to post.
pub(crate) struct SignInAttempt {
    browser: HttpBrowser,
    person: Patient,
    pending: PendingRequest,
    page: Response,
    /// Posts so far.
    pub(crate) tries: u32,
}

/// The result of a post.
pub(crate) enum AttemptOutcome {
    /// Signed in, with both steps.
    SignedIn,
    /// Refused as designed: 503, `Retry-After` and the address kept. With the time before which the person does not try
    /// again.
    Refused(Box<SignInAttempt>, Instant),
    /// Anything else.
    Broken(String),
}

impl SignInAttempt {
    /// Opens the sign-in page.
    pub(crate) async fn open(load: &LoadGenerator, nth: u32) -> Result<Self, String> {
        let (browser, pending) = (load.browser(), load.authorization_request());
        let page = browser.try_get(pending.url(load.issuer(), &[])).await.ok_or("no page")?;
        Ok(Self { browser, person: load.person(nth), pending, page, tries: 0 })
    }

    /// Posts address and password, and completes the sign-in if the post is admitted.
    pub(crate) async fn submit(self, load: &LoadGenerator) -> AttemptOutcome {
        match self.post(load).await {
            Ok(outcome) => outcome,
            Err(why) => AttemptOutcome::Broken(why),
        }
    }

    async fn post(mut self, load: &LoadGenerator) -> Result<AttemptOutcome, String> {
        self.tries += 1;
        let typed = self.page.form().with("email", &self.person.email);
        let form = typed.with("password", &self.person.password);
        let before = load.mails(&self.person);
        let answer = self.browser.try_post(&form, "continue").await.ok_or("no answer")?;
        if answer.status == 503 {
            return self.refused(answer);
        }
        let to = answer.location().ok_or_else(|| describe(&answer))?;
        let page = self.browser.try_get(to.as_str()).await.ok_or("no code page")?;
        let done = self.type_code(load, page, before).await?;
        let to = done.location().ok_or_else(|| describe(&done))?;
        let at_client = to.as_str().starts_with(&self.pending.redirect_uri);
        if at_client { Ok(AttemptOutcome::SignedIn) } else { Err(describe(&done)) }
    }

    /// Types the code of the mail whose reference the page shows. Here a person has more sign-ins at once than in real use,
    /// so about one in some thousands has two mails with the same reference. The wrong one may be first.
    async fn type_code(
        &self,
        load: &LoadGenerator,
        mut page: Response,
        before: usize,
    ) -> Result<Response, String> {
        let mut tried = Vec::new();
        loop {
            let code = load.wait_for_code((&self.person, before), &page, &tried).await;
            let code = code.ok_or_else(|| describe(&page))?;
            let form = page.form().with("code", &code);
            page = self.browser.try_post(&form, "continue").await.ok_or("no answer to a code")?;
            if page.location().is_some() || !page.has_field("code") {
                return Ok(page);
            }
            tried.push(code);
        }
    }

    fn refused(mut self, answer: Response) -> Result<AttemptOutcome, String> {
        let kept = answer.has_field("email") && answer.form().value("email") == self.person.email;
        let wait: Option<u64> = answer.header("retry-after").parse().ok();
        let Some(wait) = wait.filter(|_| kept) else { return Err(describe(&answer)) };
        self.page = answer;
        Ok(AttemptOutcome::Refused(Box::new(self), Instant::now() + Duration::from_secs(wait)))
    }
}

fn describe(answer: &Response) -> String {
    format!("{} {}: {}", answer.status, answer.url.path(), answer.text())
}
