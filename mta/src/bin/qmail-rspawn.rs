//! `qmail-rspawn`: see qmail-rspawn(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-rspawn", mta::send::spawn::rspawn::main)
}
