//! The corpus of the fuzz targets, replayed, with a few inputs made from it: the same ones each time.

use vestibule_tests::fuzz::{Ground, Mutator, TARGETS, folder};

const MADE: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn corpus_inputs_hold_properties() {
    let ground = Ground::start().await;
    let replay = tokio::task::spawn_blocking(move || {
        for target in TARGETS {
            let corpus = target.corpus();
            assert!(!corpus.is_empty(), "{}", target.name);
            let mut mutator = Mutator::new(4711, 2048);
            for input in &corpus {
                (target.run)(&ground, input);
            }
            for _ in 0..MADE {
                let input = mutator.make(&corpus, target.words);
                (target.run)(&ground, &input);
            }
        }
    });
    replay.await.expect("every property holds");
}

#[test]
fn every_corpus_folder_has_target() {
    for entry in std::fs::read_dir(folder()).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        assert!(TARGETS.iter().any(|target| *target.name == *name), "{}", name.display());
    }
}
