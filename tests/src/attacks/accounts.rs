//! Many accounts, inserted as usual but without a separate hash for each: an attack on a hundred thousand accounts would
//! otherwise spend its time on creating them.

use keys::{HashingCaller, Password, PasswordHash};
use store::{
    UserId,
    user::{STATUS_ACTIVE, User},
};

use crate::app::TestApp;

/// The most likely guess of an attacker who has one.
pub(super) const COMMON_PASSWORD: &str = "Summer holidays 2026!";
/// People inserted in one transaction.
const BATCH: usize = 500;

/// The address of the nth person.
pub(super) fn email(nth: usize) -> String {
    format!("person{nth}@patients.example")
}

/// Whether the nth of the people has the common password.
pub(super) const fn is_common(nth: usize, one_in: usize) -> bool {
    nth % one_in == one_in - 1
}

/// Adds people with a password; one in `one_in` has the common one.
pub(super) async fn add(app: &TestApp, many: usize, one_in: usize) {
    let common = hash(app, COMMON_PASSWORD).await;
    let other = hash(app, "a password that nobody guesses 7413").await;
    let all: Vec<usize> = (0..many).collect();
    for batch in all.chunks(BATCH) {
        let written = app.replica_db().write(async |tx| {
            for nth in batch {
                let (user, is_common) = (user(app, *nth), is_common(*nth, one_in));
                assert!(store::user::insert(tx, &user).await?, "{nth} is new");
                let phc = if is_common { &common } else { &other };
                store::password::set(tx, user.id, phc.as_str(), app.app().clock.now()).await?;
            }
            Ok::<_, store::Error>(())
        });
        written.await.expect("people");
    }
}

async fn hash(app: &TestApp, password: &str) -> PasswordHash {
    let slot = app.app().hasher.admit(HashingCaller::Stranger).await.expect("a slot");
    slot.hash(Password::parse(password).expect("short enough")).await.expect("a hash")
}

fn user(app: &TestApp, nth: usize) -> User {
    let (id, now): (UserId, _) = (app.cx().new_id(), app.app().clock.now());
    User {
        id,
        subject: format!("subject {nth}"),
        pairwise_seed: format!("seed {nth}"),
        user_handle: uuid::Uuid::new_v4(),
        status: STATUS_ACTIVE.to_owned(),
        email: Some(email(nth)),
        email_canonical: Some(email(nth)),
        email_verified: true,
        name: format!("Person {nth}"),
        claims: "{}".to_owned(),
        epoch: 0,
        tokens_invalid_before: None,
        password_change_required_since: None,
        updated_at: now,
        created_at: now,
        language: None,
    }
}
