//! `qmail-queuectl`: see qmail-queuectl(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-queuectl", mta::queue::queuectl::main)
}
