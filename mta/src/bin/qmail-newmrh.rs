//! `qmail-newmrh`: see qmail-newmrh(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-newmrh", mta::control::newmrh::main)
}
