//! `qmail-qstat`: see qmail-qstat(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-qstat", mta::queue::qstat::main)
}
