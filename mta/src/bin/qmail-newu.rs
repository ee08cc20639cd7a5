//! `qmail-newu`: see qmail-newu(1).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-newu", mta::users::newu::main)
}
