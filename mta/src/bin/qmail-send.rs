//! `qmail-send`: see qmail-send(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-send", mta::send::main)
}
