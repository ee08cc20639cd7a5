//! `qmail-getpw`: see qmail-getpw(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-getpw", mta::users::getpw::main)
}
