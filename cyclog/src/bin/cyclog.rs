//! `cyclog`: see cyclog(1).
fn main() -> std::process::ExitCode {
    unix::program::run("cyclog", cyclog::cyclog::main)
}
