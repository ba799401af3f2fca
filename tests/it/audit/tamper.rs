//! An attacker who can write to the database, but has no root key, changes the trail: each change is found and named.

use std::{sync::Arc, time::Duration};

use flows::{audit, trail::verify::FindingKind, trail::verify::VerifyOptions};
use keys::{RootKey, RootKeys};
use vestibule_tests::{app::TestApp, db::Engine};

use super::{
    chain::{
        assert_sound, chain_head, copy_trail, finding_keys, restore, seal_pending_rows, tamper,
        tamper_row, verify, verify_with,
    },
    limited_entry, trail,
};
use crate::engines::{apply, both_engines};

/// A provider with a trail of at least five seals; the third one has two rows or more.
async fn with_chain(engine: vestibule_tests::db::Engine) -> TestApp {
    let app = TestApp::start(engine).await;
    seal_pending_rows(&app).await;
    app.client("portal").await;
    seal_pending_rows(&app).await;
    let both = [("portal-2", true), ("portal-3", true)];
    let cx = app.cx();
    app.replica_db()
        .write(async |tx| {
            for (client, _) in both {
                let entry = audit::AuditEntry::done(audit::event::ClientAdded {}).client(client);
                audit::record(&cx, tx, entry).await?;
            }
            Ok::<_, flows::Error>(())
        })
        .await
        .unwrap();
    seal_pending_rows(&app).await;
    for name in ["Mere", "Ana"] {
        app.patient(name).await;
        seal_pending_rows(&app).await;
    }
    assert!(assert_sound(&app).await.seals >= 5);
    copy_trail(&app).await;
    app
}

/// Statements that change each column in one row.
const COLUMNS: [&str; 14] = [
    "UPDATE audit SET at = at + 1 WHERE id = $1",
    "UPDATE audit SET event = 'client.changed' WHERE id = $1",
    "UPDATE audit SET outcome = 'refused' WHERE id = $1",
    "UPDATE audit SET actor = 'cli:somebody' WHERE id = $1",
    "UPDATE audit SET user_id = id WHERE id = $1",
    "UPDATE audit SET client_id = NULL WHERE id = $1",
    "UPDATE audit SET client_id = '' WHERE id = $1",
    "UPDATE audit SET network = '' WHERE id = $1",
    "UPDATE audit SET network = '203.0.113.9' WHERE id = $1",
    "UPDATE audit SET reference = 'AAAAAA' WHERE id = $1",
    "UPDATE audit SET detail = '{ }' WHERE id = $1",
    "UPDATE audit SET tag = NULL WHERE id = $1",
    "UPDATE audit SET tag = CAST(NULL AS BYTEA), tag_key = NULL WHERE id = $1",
    "UPDATE audit SET tag_key = 'other' WHERE id = $1",
];

/// A row of the trail, as any flow writes it.
async fn write_row(cx: &flows::Cx) {
    let written: Result<(), flows::Error> =
        cx.db.write(async |tx| audit::record(cx, tx, limited_entry()).await).await;
    written.unwrap();
}

#[apply(both_engines)]
async fn changed_column_is_found(engine: Engine) {
    let app = with_chain(engine).await;
    let row = trail(&app)
        .await
        .into_iter()
        .find(|row| row.client_id.as_deref() == Some("portal-2"))
        .unwrap();
    for statement in COLUMNS {
        tamper_row(&app, row.id, statement).await;
        let found = verify(&app).await;
        assert_eq!(finding_keys(&found), [(FindingKind::Changed, row.sealed_by)], "{statement}");
        assert_eq!(found[0].row, Some(row.id), "{statement}");
        assert!(found[0].event.is_some() && found[0].at.is_some(), "{statement}");
        restore(&app).await;
    }
}

#[apply(both_engines)]
async fn missing_added_moved_row_is_found(engine: Engine) {
    let app = with_chain(engine).await;
    let rows = trail(&app).await;
    let one = rows.iter().find(|row| row.client_id.as_deref() == Some("portal-2")).unwrap();
    let two = rows.iter().find(|row| row.client_id.as_deref() == Some("portal-3")).unwrap();
    assert_eq!(one.sealed_by, two.sealed_by);
    let seals = (one.sealed_by, Some(one.sealed_by.unwrap() + 1));

    tamper_row(&app, one.id, "DELETE FROM audit WHERE id = $1").await;
    let found = verify(&app).await;
    assert_eq!(finding_keys(&found), [(FindingKind::Missing, seals.0)]);
    assert_eq!(
        (found[0].row, found[0].at),
        (Some(one.id), Some(one.at)),
        "the finding's time is that of its id"
    );
    restore(&app).await;

    // Two rows swapped: by their contents, and by their seals.
    tamper(&app, &[
            "UPDATE audit SET client_id = CASE client_id WHEN 'portal-2' THEN 'portal-3' ELSE 'portal-2' END
             WHERE client_id IN ('portal-2', 'portal-3')",
        ]).await;
    assert_eq!(
        finding_keys(&verify(&app).await),
        [(FindingKind::Changed, seals.0), (FindingKind::Changed, seals.0)]
    );
    restore(&app).await;
    tamper_row(&app, one.id, "UPDATE audit SET sealed_by = sealed_by + 1 WHERE id = $1").await;
    assert_eq!(
        finding_keys(&verify(&app).await),
        [(FindingKind::Missing, seals.0), (FindingKind::Added, seals.1)]
    );
    restore(&app).await;

    // A copy of a row with another id, added to the same seal.
    tamper_row(&app, one.id,
            "INSERT INTO audit (id, at, event, outcome, actor, client_id, reference, detail, tag, tag_key, sealed_by)
             SELECT (SELECT id FROM users ORDER BY id LIMIT 1), at, event, outcome, actor, client_id, reference, detail,
                    tag, tag_key, sealed_by FROM audit WHERE id = $1").await;
    assert_eq!(finding_keys(&verify(&app).await), [(FindingKind::Added, seals.0)]);
    restore(&app).await;

    // Removed from its seal: the job seals it again, and it is missing in the old one.
    tamper_row(&app, one.id, "UPDATE audit SET sealed_by = NULL WHERE id = $1").await;
    assert_eq!(finding_keys(&verify(&app).await)[0], (FindingKind::Missing, seals.0));
    seal_pending_rows(&app).await;
    assert_eq!(finding_keys(&verify(&app).await), [(FindingKind::Missing, seals.0)]);
    restore(&app).await;
}

/// The job seals any row; a row that the program did not write has no valid tag.
#[apply(both_engines)]
async fn forged_row_is_found_after_sealing(engine: Engine) {
    let app = with_chain(engine).await;
    let row = trail(&app).await.into_iter().next().unwrap();
    let copied =
            "INSERT INTO audit (id, at, event, outcome, actor, reference, detail, tag, tag_key)
             SELECT (SELECT id FROM users ORDER BY id LIMIT 1), at, 'client.added', outcome, actor, reference, detail,
                    tag, tag_key FROM audit WHERE id = $1";
    tamper_row(&app, row.id, copied).await;
    assert_eq!(verify(&app).await[0].kind, FindingKind::Forged, "before it is sealed");
    seal_pending_rows(&app).await;
    assert_eq!(verify(&app).await[0].kind, FindingKind::Forged, "and after");
    restore(&app).await;
    // A row without a tag, as an older version writes it, is accepted on the day of the upgrade.
    let bare =
            "INSERT INTO audit (id, at, event, outcome, actor, reference, detail)
             SELECT (SELECT id FROM users ORDER BY id LIMIT 1), at + 1000, event, outcome, actor, reference, detail
             FROM audit WHERE id = $1";
    tamper_row(&app, row.id, bare).await;
    seal_pending_rows(&app).await;
    assert_eq!(verify(&app).await, []);
    restore(&app).await;
    let later =
            "INSERT INTO audit (id, at, event, outcome, actor, reference, detail)
             SELECT (SELECT id FROM users ORDER BY id LIMIT 1), at + 90000000, event, outcome, actor, reference, detail
             FROM audit WHERE id = $1";
    tamper_row(&app, row.id, later).await;
    app.clock.advance(Duration::from_hours(26));
    seal_pending_rows(&app).await;
    assert_eq!(verify(&app).await[0].kind, FindingKind::Forged);
    restore(&app).await;
    // Another program with another root key of the same name.
    let mut foreign = app.cx();
    foreign.root = Arc::new(RootKeys::new(&[RootKey::parse("test", &[8; 32]).unwrap()]).unwrap());
    write_row(&foreign).await;
    seal_pending_rows(&app).await;
    let found = verify(&app).await;
    assert_eq!((found.len(), found[0].kind), (1, FindingKind::Forged));
}

/// The program's own row, visible ten minutes after its time.
#[apply(both_engines)]
async fn late_row_is_found(engine: Engine) {
    let app = with_chain(engine).await;
    let mut cx = app.cx();
    cx.now = cx.now.minus(Duration::from_mins(1));
    write_row(&cx).await;
    seal_pending_rows(&app).await;
    assert_eq!(verify(&app).await, [], "a slow transaction is not late");
    cx.now = cx.now.minus(Duration::from_mins(10));
    write_row(&cx).await;
    let found = verify(&app).await;
    assert_eq!(
        (found.len(), found[0].kind),
        (1, FindingKind::Late),
        "before it is sealed, and after: {found:?}"
    );
    seal_pending_rows(&app).await;
    let found = verify(&app).await;
    assert_eq!(
        (found.len(), found[0].kind, found[0].event.as_deref()),
        (1, FindingKind::Late, Some("network.limited"))
    );
}

#[apply(both_engines)]
async fn missing_or_changed_seal_is_found(engine: Engine) {
    let app = with_chain(engine).await;
    for (statement, what) in [
        (
            "UPDATE audit_seals SET sealed_at = sealed_at + 1 WHERE sequence = 3",
            FindingKind::SealChanged,
        ),
        (
            "UPDATE audit_seals SET complete_to = complete_to - 1 WHERE sequence = 3",
            FindingKind::SealChanged,
        ),
        (
            "UPDATE audit_seals SET row_count = row_count + 1 WHERE sequence = 3",
            FindingKind::SealChanged,
        ),
        ("UPDATE audit_seals SET manifest = NULL WHERE sequence = 3", FindingKind::SealChanged),
        (
            "UPDATE audit_seals SET manifest = (SELECT manifest FROM kept_seals WHERE sequence = 4) WHERE sequence = 3",
            FindingKind::SealChanged,
        ),
        (
            "UPDATE audit_seals SET manifest_hash = previous WHERE sequence = 3",
            FindingKind::SealChanged,
        ),
        ("UPDATE audit_seals SET previous = digest WHERE sequence = 3", FindingKind::SealUnlinked),
        ("UPDATE audit_seals SET digest = previous WHERE sequence = 3", FindingKind::SealChanged),
        ("UPDATE audit_seals SET key_id = 'other' WHERE sequence = 3", FindingKind::UnknownKey),
        (
            "UPDATE audit_seals SET swept_at = sealed_at WHERE sequence = 3",
            FindingKind::SealNotSwept,
        ),
        (
            "UPDATE audit_seals SET swept_at = sealed_at, manifest = NULL, swept_key = key_id, swept_mark = digest WHERE sequence = 3",
            FindingKind::SealNotSwept,
        ),
        ("DELETE FROM audit_seals WHERE sequence = 3", FindingKind::SealMissing),
        ("DELETE FROM audit_seals WHERE sequence = 1", FindingKind::SealMissing),
    ] {
        tamper(&app, &[statement]).await;
        let found = verify(&app).await;
        let first = (found[0].kind, found[0].seal);
        let wanted = Some(if statement.ends_with("= 1") { 1 } else { 3 });
        assert_eq!(first, (what, wanted), "{statement}: {found:?}");
        restore(&app).await;
    }
    // Two seals swapped, with their rows.
    tamper(&app, &[
            "UPDATE audit_seals SET sequence = CASE sequence WHEN 3 THEN -4 ELSE -3 END WHERE sequence IN (3, 4)",
            "UPDATE audit_seals SET sequence = -sequence WHERE sequence < 0",
            "UPDATE audit SET sealed_by = CASE sealed_by WHEN 3 THEN 4 ELSE 3 END WHERE sealed_by IN (3, 4)",
        ]).await;
    let found = finding_keys(&verify(&app).await);
    for wanted in [
        (FindingKind::SealChanged, Some(3)),
        (FindingKind::SealUnlinked, Some(3)),
        (FindingKind::SealChanged, Some(4)),
    ] {
        assert!(found.contains(&wanted), "{found:?}");
    }
    restore(&app).await;
    // A removed seal and its rows, with the rest renumbered: without the key this fails.
    tamper(&app, &[
            "DELETE FROM audit WHERE sealed_by = 3",
            "DELETE FROM audit_seals WHERE sequence = 3",
            "UPDATE audit SET sealed_by = sealed_by - 1 WHERE sealed_by > 3",
            "UPDATE audit_seals SET sequence = -sequence WHERE sequence > 3",
            "UPDATE audit_seals SET sequence = -sequence - 1 WHERE sequence < 0",
            "UPDATE audit_seals SET previous = (SELECT digest FROM kept_seals WHERE sequence = 2) WHERE sequence = 3",
        ]).await;
    assert_eq!(finding_keys(&verify(&app).await)[0], (FindingKind::SealChanged, Some(3)));
    restore(&app).await;
}

/// The chain alone does not show that its end is missing: this needs a head that is kept elsewhere.
#[apply(both_engines)]
async fn rollback_is_found_by_external_head(engine: Engine) {
    let app = with_chain(engine).await;
    let head = chain_head(&app).await;
    let expecting = || VerifyOptions { expect: Some(head.clone()), ..VerifyOptions::default() };
    assert_eq!(verify_with(&app, expecting()).await.1, []);
    tamper(
        &app,
        &[
            "DELETE FROM audit WHERE sealed_by >= (SELECT MAX(sequence) FROM audit_seals)",
            "DELETE FROM audit_seals WHERE sequence IN (SELECT MAX(sequence) FROM audit_seals)",
        ],
    )
    .await;
    assert_eq!(verify(&app).await, [], "an older copy is sound by itself");
    let found = verify_with(&app, expecting()).await.1;
    assert_eq!(finding_keys(&found), [(FindingKind::HeadMissing, Some(head.sequence))]);
    // The chain continues from there, and the same number has another digest.
    app.patient("Hana").await;
    seal_pending_rows(&app).await;
    assert_eq!(verify_with(&app, expecting()).await.1[0].kind, FindingKind::HeadMissing);
    restore(&app).await;
    // The end is deleted, but its rows are left: they name a missing seal.
    tamper(
        &app,
        &["DELETE FROM audit_seals WHERE sequence IN (SELECT MAX(sequence) FROM audit_seals)"],
    )
    .await;
    assert_eq!(verify(&app).await[0].kind, FindingKind::Added);
}

/// A span trusts the seal before it, and rows outside are not verified.
#[apply(both_engines)]
async fn time_span_is_verified_alone(engine: Engine) {
    let app = TestApp::start(engine).await;
    seal_pending_rows(&app).await;
    // By the seals' own times: the running program may seal by a time that it read before the clock was moved.
    let newest = async || {
        let mut conn = app.replica_db().read().await.unwrap();
        store::audit_seal::newest(&mut conn).await.unwrap().unwrap().sealed_at
    };
    app.clock.advance(Duration::from_hours(1));
    app.client("portal").await;
    seal_pending_rows(&app).await;
    let from = newest().await;
    app.clock.advance(Duration::from_hours(1));
    app.patient("Mere").await;
    seal_pending_rows(&app).await;
    let to = newest().await;
    let span = |from, to| VerifyOptions { from, to, expect: None };
    for (asked, seals) in [
        (span(None, None), 3),
        (span(Some(from), None), 2),
        (span(Some(to), None), 1),
        (span(Some(from), Some(from)), 1),
    ] {
        let (report, found) = verify_with(&app, asked).await;
        assert_eq!((report.seals, found), (seals, vec![]));
    }
    tamper(&app, &["UPDATE audit SET outcome = 'x' WHERE sealed_by = 1"]).await;
    assert_eq!(verify_with(&app, span(Some(from), None)).await.1, []);
    assert!(!verify_with(&app, span(None, None)).await.1.is_empty());
}
