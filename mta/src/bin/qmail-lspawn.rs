//! `qmail-lspawn`: see qmail-lspawn(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-lspawn", mta::send::spawn::lspawn::main)
}
