//! `supervise`: see supervise(8).
fn main() -> std::process::ExitCode {
    unix::program::run("supervise", supervise::supervise::main)
}
