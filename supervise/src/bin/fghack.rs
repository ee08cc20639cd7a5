//! `fghack`: see fghack(8).
fn main() -> std::process::ExitCode {
    unix::program::run("fghack", supervise::chain::fghack::main)
}
