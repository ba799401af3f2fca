//! Counters in memory are one process's alone: what becomes of a holder that was frozen longer than its lease.

use store::{Db, Sql};
use vestibule_tests::{
    db::TestDb,
    http::HttpBrowser,
    on_both_engines,
    proc::{Proc, idp},
    served::Served,
};

/// Freezes a process in a moment in which it holds no lock that another one would wait for.
async fn freeze(serve: &Proc, db: &Db) {
    loop {
        serve.freeze().await;
        let touch = "UPDATE leases SET until = until WHERE name = 'memory-counters'";
        if db.write(async |tx| tx.q(touch).exec().await).await.is_ok() {
            return;
        }
        serve.thaw().await;
    }
}

on_both_engines! {
    /// Frozen while another one took over: back again, it ends by itself, and the other goes on.
    async fn a_frozen_holder_ends_when_it_finds_another(engine) {
        let db = TestDb::create(engine).await;
        let served = Served::prepare(engine, &db).await;
        let sql = db.open().await;
        let in_memory = |mut command: tokio::process::Command| {
            command.env("IDP__EPHEMERAL__URL", "memory");
            command
        };
        let mut first = served.serve_by(in_memory).await;
        freeze(&first, &sql).await;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], vestibule_tests::servers::free_port()));
        let mut command = in_memory(idp());
        command.args(["serve", "--config"]).arg(served.file());
        command.env("IDP__LISTEN__PUBLIC", address.to_string());
        let mut second = Proc::spawn(command);
        let browser = HttpBrowser::new_at(&served.issuer(), address);
        let begun = std::time::Instant::now();
        while browser.try_get("/oauth2/jwks").await.is_none() {
            assert!(begun.elapsed().as_secs() < 30, "it does not take over:\n{}", second.output());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        first.thaw().await;
        let ended = first.exit().await;
        let said = first.output();
        assert_eq!(ended.code(), Some(1), "{said}");
        assert!(said.contains("another `idp serve` has taken over this database"), "{said}");
        assert!(said.contains("alarm: another process counts in memory"), "{said}");
        // The lease is still the other's, which serves.
        assert_eq!(browser.get("/oauth2/jwks").await.status, 200);
        assert!(second.terminate().await.success());
    }
}
