//! `qmail-setup`: see qmail-setup(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-setup", mta::setup::main)
}
