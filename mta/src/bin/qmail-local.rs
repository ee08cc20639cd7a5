//! `qmail-local`: see qmail-local(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-local", mta::deliver::local::main)
}
