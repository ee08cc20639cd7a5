//! Writes the seeds of all targets: `seeds DIRECTORY` makes DIRECTORY/TARGET/seed-N.

use std::path::PathBuf;

fn main() {
    let directory = PathBuf::from(std::env::args_os().nth(1).expect("usage: seeds directory"));
    for (target, _) in fuzz::TARGETS {
        let corpus = directory.join(target);
        std::fs::create_dir_all(&corpus).expect("a directory");
        for (number, seed) in fuzz::seeds::of(target).into_iter().enumerate() {
            std::fs::write(corpus.join(format!("seed-{number}")), seed).expect("a seed");
        }
    }
}
