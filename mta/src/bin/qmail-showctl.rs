//! `qmail-showctl`: see qmail-showctl(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-showctl", mta::control::showctl::main)
}
