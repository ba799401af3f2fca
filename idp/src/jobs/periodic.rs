//! Periodic tasks. One replica at a time runs a task: it holds the task's lease and renews it. Another replica takes over
//! when it does not renew the lease any more.

use std::{pin::Pin, time::Duration};

use tokio::{sync::watch, task::JoinSet};

use super::{seal, sweep};
use crate::app::App;

/// How much longer a lease is than the task's interval. It is more than clocks differ.
const LEASE_GRACE: Duration = Duration::from_secs(10);

type TaskFuture<T> = Pin<Box<dyn Future<Output = Result<T, flows::Error>> + Send>>;

/// One periodic task.
struct Task {
    name: &'static str,
    interval: Duration,
    /// Checks with a read whether there is work, so that an idle program writes no lease. `None`: there always may be
    /// work.
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

/// Checks the invariant in the data. It is due once a day; whether it is due is checked each hour.
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

/// Runs every task until `stop`, then releases every lease.
pub(super) async fn run(app: App, stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for task in &TASKS {
        tasks.spawn(repeat_task(app.clone(), task, stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "alarm: a periodic task ended");
        }
    }
    let released =
        app.db.write(async |tx| store::lease::release_all(tx, &app.instance_id).await).await;
    if let Err(error) = released {
        tracing::warn!(%error, "leases could not be released; they end by themselves");
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
            // Every task consists of short transactions, so it can stop here; the next holder continues it.
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        if let Err(error) = done {
            tracing::error!(%error, task = task.name, "a periodic task failed; it is tried again at the next interval");
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
        // The task ran, though there was nothing to do: its metrics show that.
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
