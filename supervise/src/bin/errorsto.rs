//! `errorsto`: see errorsto(1).
fn main() -> std::process::ExitCode {
    unix::program::run("errorsto", supervise::chain::errorsto::main)
}
