//! Counters in memory need a single process: a holder that was frozen longer than its lease, and a start while the database
//! is busy.

use store::{Db, Sql};
use vestibule_tests::{
    blocking_tx::BlockingTx,
    db::{Engine, TestDb},
    http::HttpBrowser,
    proc::{ChildProcess, idp_command},
    serve_process::ServeSetup,
    wait,
};

use crate::engines::{apply, both_engines};

/// Freezes a process while it holds no lock that another process would wait for.
async fn freeze(serve: &ChildProcess, db: &Db) {
    let holds_nothing = async || {
        serve.freeze().await;
        let touch = "UPDATE leases SET until = until WHERE name = 'memory-counters'";
        let touched = db.write(async |tx| tx.q(touch).execute().await).await;
        if touched.is_err() {
            serve.thaw().await;
        }
        touched
    };
    wait::until("a frozen process that holds no lock", holds_nothing).await;
}

/// Locks the lease's row, and on SQLite thereby the writer.
const HOLD: &str =
    "INSERT INTO leases (name, holder, until) VALUES ('memory-counters', 'nobody', 0)
     ON CONFLICT (name) DO UPDATE SET until = 0";

/// A holder is frozen while another process takes over: once it runs again, it ends by itself, and the other continues.
#[apply(both_engines)]
async fn frozen_holder_exits_after_takeover(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let sql = db.open().await;
    let in_memory = |mut command: tokio::process::Command| {
        command.env("IDP__EPHEMERAL__URL", "memory");
        command
    };
    let mut first = served.serve_with(in_memory).await;
    freeze(&first, &sql).await;
    let address =
        std::net::SocketAddr::from(([127, 0, 0, 1], vestibule_tests::shared_servers::free_port()));
    let mut command = in_memory(idp_command());
    command.args(["serve", "--config"]).arg(served.config_file());
    command.env("IDP__LISTEN__PUBLIC", address.to_string());
    let mut second = ChildProcess::spawn(command);
    let browser = HttpBrowser::new_at(&served.issuer(), address);
    second.wait_until_answering(&browser).await;
    first.thaw().await;
    let ended = first.wait_for_exit().await;
    let said = first.output();
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("another `idp serve` has taken over this database"), "{said}");
    assert!(said.contains("alarm: another process serves this database"), "{said}");
    // The other process still holds the lease and serves.
    assert_eq!(browser.get("/oauth2/jwks").await.status, 200);
    assert!(second.terminate().await.success());
}

/// A start waits for a transaction that holds its lock, longer than the store itself waits for a lock: on SQLite any writer,
/// on PostgreSQL the row of the lease.
#[apply(both_engines)]
async fn start_waits_for_busy_database(engine: Engine) {
    let db = TestDb::create(engine).await;
    let served = ServeSetup::prepare(engine, &db).await;
    let sql = db.open().await;
    let held = BlockingTx::open(sql.clone(), HOLD).await;
    let mut command = served.command(&["serve"]);
    command.env("IDP__EPHEMERAL__URL", "memory");
    let mut serve = ChildProcess::spawn(command);
    // It has met the lock once; without a retry it would have ended.
    serve.wait_for_output("the start waits for the database").await;
    held.commit().await;
    serve.wait_until_answering(&served.browser_at(served.address())).await;
    assert!(serve.terminate().await.success());
}
