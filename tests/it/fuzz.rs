//! Replays the corpus of the fuzz targets, with a few inputs made from it; they are the same in each run.

use vestibule_tests::fuzz::{FuzzContext, Mutator, TARGETS, corpus_dir};

const GENERATED_INPUTS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corpus_inputs_hold_properties() {
    let ground = FuzzContext::start().await;
    let replay = tokio::task::spawn_blocking(move || {
        for target in TARGETS {
            let corpus = target.corpus();
            assert!(!corpus.is_empty(), "{}", target.name);
            let mut mutator = Mutator::new(4711, 2048);
            for input in &corpus {
                (target.run)(&ground, input);
            }
            for _ in 0..GENERATED_INPUTS {
                let input = mutator.make(&corpus, target.dictionary);
                (target.run)(&ground, &input);
            }
        }
    });
    replay.await.expect("every property holds");
}

#[test]
fn every_corpus_folder_has_target() {
    for entry in std::fs::read_dir(corpus_dir()).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        assert!(TARGETS.iter().any(|target| *target.name == *name), "{}", name.display());
    }
}
