//! `qmail-pw2u`: see qmail-pw2u(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-pw2u", mta::users::pw2u::main)
}
