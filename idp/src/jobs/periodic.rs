//! Periodic tasks, done by one replica at a time: each has a lease of its own, which its holder renews, so that
//! another replica takes over when the holder dies.

use std::{pin::Pin, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use super::{seal, sweep};
use crate::app::App;

/// How long a holder may be silent before another takes over, beside the interval itself. More than clocks differ.
const LEASE_GRACE: Duration = Duration::from_secs(10);

type TaskFuture<T> = Pin<Box<dyn Future<Output = Result<T, flows::Error>> + Send>>;

/// One periodic task.
struct Task {
    name: &'static str,
    interval: Duration,
    /// Asks by a read whether there is anything to do, so that an idle program writes no lease; none when there always may
    /// be.
    is_due: Option<fn(App) -> TaskFuture<bool>>,
    run: fn(App) -> TaskFuture<()>,
}

/// THE list of periodic tasks.
const TASKS: [Task; 6] = [
    INVARIANT_CHECK,
    Task {
        name: "guess_budget",
        interval: Duration::from_secs(10),
        is_due: Some(|app| {
            Box::pin(async move {
                flows::guess_budget::is_exceeded(&app.system_cx("guess_budget")).await
            })
        }),
        run: |app| {
            Box::pin(async move {
                flows::guess_budget::alarm_if_exceeded(&app.system_cx("guess_budget"))
                    .await
                    .map(|_| ())
            })
        },
    },
    Task {
        name: "retention",
        interval: Duration::from_mins(10),
        is_due: None,
        run: |app| Box::pin(sweep::run_pass(app)),
    },
    Task {
        name: "audit_seals",
        interval: Duration::from_secs(1),
        is_due: Some(|app| Box::pin(seal::is_due(app))),
        run: |app| Box::pin(seal::seal_pending(app)),
    },
    Task {
        name: "signing_keys",
        interval: Duration::from_mins(10),
        is_due: None,
        run: |app| Box::pin(super::key_maintenance::maintain_signing_keys(app)),
    },
    Task {
        name: "root_keys",
        interval: Duration::from_mins(10),
        is_due: None,
        run: |app| Box::pin(super::key_maintenance::reseal(app)),
    },
];

/// The invariant, looked for in the data. Asked for each hour, done once a day.
const INVARIANT_CHECK: Task = Task {
    name: "proof",
    interval: Duration::from_hours(1),
    is_due: None,
    run: |app| {
        Box::pin(async move {
            match flows::invariant_check::run_if_due(&app.system_cx("proof")).await? {
                Some(found) if found.unproven > 0 => tracing::error!(
                    grants = found.unproven,
                    "alarm: grants without a completed second step; the audit trail names them"
                ),
                Some(found) => {
                    tracing::info!(
                        grants = found.checked,
                        "every grant has a completed second step"
                    );
                }
                None => {}
            }
            Ok(())
        })
    },
};

/// Does all of it until `stop`, then gives every lease back.
pub(super) async fn run(app: App, stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for task in &TASKS {
        tasks.spawn(repeat_task(app.clone(), task, stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "alarm: work that comes round ended");
        }
    }
    let released =
        app.db.write(async |tx| store::lease::release_all(tx, &app.instance_id).await).await;
    if let Err(error) = released {
        tracing::warn!(%error, "leases could not be given back; they end by themselves");
    }
}

async fn repeat_task(app: App, task: &'static Task, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(task.interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stopped| *stopped) => return,
        }
        let done = tokio::select! {
            done = run_once(&app, task) => done,
            // All of it is made of short transactions, and goes on with the next holder.
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        if let Err(error) = done {
            tracing::error!(%error, task = task.name, "work that comes round failed; it is tried at the next turn");
        }
    }
}

async fn run_once(app: &App, task: &Task) -> Result<(), flows::Error> {
    if app.live.clock_is_off() {
        return Ok(());
    }
    if let Some(is_due) = task.is_due
        && !is_due(app.clone()).await?
    {
        // It came round all the same, and whoever watches over it should see that.
        app.metrics.record_task(task.name, true);
        return Ok(());
    }
    let now = app.clock.now();
    let term = store::lease::LeaseTerm { now, until: now.plus(task.interval + LEASE_GRACE) };
    let held = app
        .db
        .write(async |tx| store::lease::acquire(tx, task.name, &app.instance_id, term).await)
        .await?;
    if !held {
        return Ok(());
    }
    let done = (task.run)(app.clone()).await;
    app.metrics.record_task(task.name, done.is_ok());
    done
}
