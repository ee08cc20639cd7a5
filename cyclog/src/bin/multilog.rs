//! `multilog`: see multilog(8).
fn main() -> std::process::ExitCode {
    unix::program::run("multilog", cyclog::multilog::main)
}
