//! `scripts/bench timing [SAMPLES]`: whether the response time reveals if an address has an account (misuse case 53).
//!
//! Wrong passwords for a known and an unknown person, in turns, and the Mann-Whitney rank test over both. Each has a new
//! browser and a new attempt, so that nothing else differs.

use std::time::Instant;

use vestibule_tests::{
    app::{Patient, TestApp},
    db::Engine,
};

use crate::print_figure;

/// Runs the study on PostgreSQL and prints its p-value, which must be above 0.01.
pub(crate) async fn run() {
    let samples = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let app = TestApp::start(Engine::Postgres).await;
    let (client, known) = (app.client("portal").await, app.patient("Mere").await);
    for (name, value) in [
        ("sign_in.posts_per_minute_ipv6_48", "1000000"),
        ("sign_in.posts_per_minute", "1000000"),
        ("sign_in.network_failures_ipv4", "1000000"),
        ("sign_in.password_failures", "100000"),
        ("sign_in.network_share", "100000"),
    ] {
        app.set_setting(name, value).await;
    }
    let wrong = |email: &str| Patient {
        email: email.to_owned(),
        password: "not the password of anybody".to_owned(),
        name: String::new(),
    };
    let people = [wrong(&known.email), wrong("nobo@patients.example")];
    let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for nth in 0..samples {
        // The order changes, so that neither profits from caches that the other has filled.
        for who in if nth % 2 == 0 { [0, 1] } else { [1, 0] } {
            let browser = app.browser();
            let (page, _) = browser.open_sign_in_page(&client).await;
            let begun = Instant::now();
            let answer = browser.submit_password(&page, &people[who]).await;
            times[who].push(begun.elapsed().as_secs_f64() * 1000.0);
            assert_eq!(answer.status, 200);
        }
    }
    let median = |all: &[f64]| {
        let mut all = all.to_vec();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    println!("Known and unknown people, {samples} wrong passwords each");
    print_figure("median for a known address", median(&times[0]), "ms", None);
    print_figure("median for an unknown one", median(&times[1]), "ms", None);
    print_figure("p of Mann and Whitney, two-sided", p_value(&times), "", Some(("at least", 0.01)));
}

/// Normal approximation; ties are too rare among times to matter.
#[expect(clippy::cast_precision_loss, reason = "counts of samples are small")]
fn p_value([one, two]: &[Vec<f64>; 2]) -> f64 {
    let mut all: Vec<(f64, bool)> = one.iter().map(|time| (*time, true)).collect();
    all.extend(two.iter().map(|time| (*time, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks: f64 = all
        .iter()
        .enumerate()
        .filter(|(_, (_, first))| *first)
        .map(|(at, _)| at as f64 + 1.0)
        .sum();
    let (n, m) = (one.len() as f64, two.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    let z = (u - n * m / 2.0).abs() / (n * m * (n + m + 1.0) / 12.0).sqrt();
    erfc(z / std::f64::consts::SQRT_2)
}

/// The complementary error function (Abramowitz and Stegun, 7.1.26): right to seven digits.
fn erfc(x: f64) -> f64 {
    let t = 1.0 / 0.327_591_1_f64.mul_add(x, 1.0);
    let terms = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let sum = terms.iter().fold(0.0, |sum, term| (sum + term) * t);
    sum * (-x * x).exp()
}
