//! `pgrphack`: see pgrphack(8).
fn main() -> std::process::ExitCode {
    unix::program::run("pgrphack", supervise::chain::pgrphack::main)
}
