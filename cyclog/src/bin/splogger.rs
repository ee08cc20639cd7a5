//! `splogger`: see splogger(8).

fn main() -> std::process::ExitCode {
    unix::program::run("splogger", cyclog::splogger::main)
}
