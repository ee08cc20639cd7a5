//! `qmail-pop3d`: see qmail-pop3d(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-pop3d", mta::retrieve::pop3d::main)
}
