//! Runs the targets of `vestibule_tests::fuzz` on inputs made from the corpus (`scripts/fuzz`).
//!
//! It is not guided by coverage: it mutates relevant inputs many times and checks properties. An input that breaks a
//! property is written to `target/fuzz` and belongs in the corpus once the fault is fixed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::{Duration, Instant},
};

use vestibule_tests::fuzz::{FuzzContext, Mutator, TARGETS, Target};

const MAX_INPUT_LEN: usize = 4096;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(180);
    let wanted = arguments.next();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ground = runtime.block_on(FuzzContext::start());
    let mut found = 0;
    for target in TARGETS.iter().filter(|t| wanted.as_ref().is_none_or(|name| name == t.name)) {
        found += run(target, &ground, Duration::from_secs(seconds));
    }
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one target for the given time; returns how many inputs broke its property.
fn run(target: &Target, ground: &FuzzContext, time: Duration) -> usize {
    let corpus = target.corpus();
    let seed = u64::from_be_bytes(keys::Rng::system().bytes());
    let mut mutator = Mutator::new(seed, MAX_INPUT_LEN);
    let (mut runs, mut found) = (0_u64, 0);
    let started = Instant::now();
    let mut inputs = corpus.iter().cloned();
    while started.elapsed() < time && found < 5 {
        let input = inputs.next().unwrap_or_else(|| mutator.make(&corpus, target.dictionary));
        runs += 1;
        if catch_unwind(AssertUnwindSafe(|| (target.run)(ground, &input))).is_err() {
            found += 1;
            save_input(target.name, &input);
        }
    }
    let rate = runs / time.as_secs().max(1);
    println!(
        "{:<10} {runs:>10} runs, {rate:>7} a second, {found} findings, seed {seed}",
        target.name
    );
    found
}

fn save_input(name: &str, input: &[u8]) {
    let hash = keys::hash_text(&String::from_utf8_lossy(input));
    let digest = hash.as_bytes().iter().take(6).fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    let folder = vestibule_tests::workspace_root().join("target/fuzz").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(format!("{digest:012x}"));
    std::fs::write(&file, input).expect("a file");
    println!("{name}: broken by {}", file.display());
}
