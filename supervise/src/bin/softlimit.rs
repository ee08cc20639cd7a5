//! `softlimit`: see softlimit(8).
fn main() -> std::process::ExitCode {
    unix::program::run("softlimit", supervise::chain::softlimit::main)
}
