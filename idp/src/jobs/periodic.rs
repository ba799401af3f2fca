//! Periodic tasks, done by one replica at a time: each has a lease of its own, which its holder renews, so that
//! another replica takes over when the holder dies.

use std::{pin::Pin, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use super::{seal, sweep};
use crate::app::App;

/// How long a holder may be silent before another takes over, beside the interval itself. More than clocks differ.
const SILENCE: Duration = Duration::from_secs(10);

type Working<T> = Pin<Box<dyn Future<Output = Result<T, flows::Error>> + Send>>;

/// One periodic task.
struct Task {
    name: &'static str,
    every: Duration,
    /// Asks by a read whether there is anything to do, so that an idle program writes no lease; none when there always may
    /// be.
    due: Option<fn(App) -> Working<bool>>,
    work: fn(App) -> Working<()>,
}

/// THE list of periodic tasks.
const TASKS: [Task; 6] = [
    PROOF,
    Task {
        name: "guess_budget",
        every: Duration::from_secs(10),
        due: Some(|app| {
            Box::pin(async move {
                flows::guess_budget::is_exceeded(&app.system_cx("guess_budget")).await
            })
        }),
        work: |app| {
            Box::pin(async move {
                flows::guess_budget::alarm_if_exceeded(&app.system_cx("guess_budget"))
                    .await
                    .map(|_| ())
            })
        },
    },
    Task {
        name: "retention",
        every: Duration::from_mins(10),
        due: None,
        work: |app| Box::pin(sweep::turn(app)),
    },
    Task {
        name: "audit_seals",
        every: Duration::from_secs(1),
        due: Some(|app| Box::pin(seal::due(app))),
        work: |app| Box::pin(seal::turn(app)),
    },
    Task {
        name: "signing_keys",
        every: Duration::from_mins(10),
        due: None,
        work: |app| Box::pin(super::key_maintenance::tend(app)),
    },
    Task {
        name: "root_keys",
        every: Duration::from_mins(10),
        due: None,
        work: |app| Box::pin(super::key_maintenance::reseal(app)),
    },
];

/// The invariant, looked for in the data. Asked for each hour, done once a day.
const PROOF: Task = Task {
    name: "proof",
    every: Duration::from_hours(1),
    due: None,
    work: |app| {
        Box::pin(async move {
            match flows::invariant_check::run_if_due(&app.system_cx("proof")).await? {
                Some(found) if found.unproven > 0 => tracing::error!(
                    grants = found.unproven,
                    "alarm: grants without a completed second step; the audit trail names them"
                ),
                Some(found) => {
                    tracing::info!(
                        grants = found.looked_at,
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
        tasks.spawn(repeat(app.clone(), task, stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "alarm: work that comes round ended");
        }
    }
    let released = app.db.write(async |tx| store::lease::release_all(tx, &app.process).await).await;
    if let Err(error) = released {
        tracing::warn!(%error, "leases could not be given back; they end by themselves");
    }
}

async fn repeat(app: App, task: &'static Task, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(task.every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stopped| *stopped) => return,
        }
        let done = tokio::select! {
            done = once(&app, task) => done,
            // All of it is made of short transactions, and goes on with the next holder.
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        if let Err(error) = done {
            tracing::error!(%error, task = task.name, "work that comes round failed; it is tried at the next turn");
        }
    }
}

async fn once(app: &App, task: &Task) -> Result<(), flows::Error> {
    if app.live.clock_is_off() {
        return Ok(());
    }
    if let Some(due) = task.due
        && !due(app.clone()).await?
    {
        // It came round all the same, and whoever watches over it should see that.
        app.metrics.task(task.name, true);
        return Ok(());
    }
    let now = app.clock.now();
    let term = store::lease::LeaseTerm { now, until: now.plus(task.every + SILENCE) };
    let held = app
        .db
        .write(async |tx| store::lease::acquire(tx, task.name, &app.process, term).await)
        .await?;
    if !held {
        return Ok(());
    }
    let done = (task.work)(app.clone()).await;
    app.metrics.task(task.name, done.is_ok());
    done
}
