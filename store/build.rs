//! Rebuilds the crate when a migration is added: the compiled-in list would be stale otherwise.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
