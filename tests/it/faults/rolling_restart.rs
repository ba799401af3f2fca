//! Each of two replicas is stopped gracefully and started again, one after the other, as in an upgrade. The processes are
//! real, they use TLS, and people sign in all the time.

use std::net::SocketAddr;

use vestibule_tests::db::Engine;

use super::{ServeWithPeople, assert_consistent, assert_sound, print_stats, rounds};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rolling_restart_loses_nothing() {
    let program = ServeWithPeople::over_tls(Engine::Postgres, 4).await;
    let port = program.served.port();
    let at = [1, 2].map(|host| SocketAddr::from(([127, 0, 0, host], port)));
    let mut replicas = [
        program.served.start_replica_at(at[0]).await,
        program.served.start_replica_at(at[1]).await,
    ];
    let crowd = program.crowd(at.to_vec());
    crowd.wait_for_sign_ins(2).await;
    for _ in 0..rounds() {
        for (replica, at) in replicas.iter_mut().zip(at) {
            let refused = crowd.stats().refused;
            assert!(replica.terminate().await.success(), "{}", replica.output());
            assert!(!replica.output().contains("hard stop"), "{}", replica.output());
            crowd.until("the port is closed", |tally| tally.refused > refused).await;
            *replica = program.served.start_replica_at(at).await;
            crowd.wait_for_sign_ins(2).await;
        }
    }
    crowd.mark_fault_over();
    crowd.wait_for_sign_ins(4).await;
    let tally = crowd.finish().await;
    print_stats("each of two was stopped and started again", &tally);
    assert_sound(&tally);
    assert_eq!((tally.repeated, tally.in_doubt), (0, 0), "only a refused connection is repeated");
    assert_eq!((tally.restarts, tally.duplicate_mails), (0, 0));
    assert_consistent(&program.data.open().await, &tally).await;
}
