//! `qmail-start`: see qmail-start(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-start", mta::send::start::main)
}
