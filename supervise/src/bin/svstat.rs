//! `svstat`: see svstat(8).
fn main() -> std::process::ExitCode {
    unix::program::run("svstat", supervise::svstat::main)
}
