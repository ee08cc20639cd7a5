//! `cyclog-read`: see cyclog-read(1).
fn main() -> std::process::ExitCode {
    unix::program::run("cyclog-read", cyclog::cyclog_read::main)
}
