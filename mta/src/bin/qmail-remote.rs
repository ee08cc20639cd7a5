//! `qmail-remote`: see qmail-remote(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-remote", mta::deliver::remote::main)
}
