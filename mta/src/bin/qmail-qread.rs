//! `qmail-qread`: see qmail-qread(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-qread", mta::queue::qread::main)
}
