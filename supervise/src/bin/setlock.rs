//! `setlock`: see setlock(8).
fn main() -> std::process::ExitCode {
    unix::program::run("setlock", supervise::chain::setlock::main)
}
