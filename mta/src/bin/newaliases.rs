//! `newaliases`: see newaliases(1).

fn main() -> std::process::ExitCode {
    unix::program::run("newaliases", mta::aliases::newaliases::main)
}
