//! `except`: see except(1).

fn main() -> std::process::ExitCode {
    unix::program::run("except", mta::deliver::commands::except::main)
}
