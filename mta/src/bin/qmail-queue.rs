//! `qmail-queue`: see qmail-queue(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-queue", mta::queue::enqueue::main)
}
