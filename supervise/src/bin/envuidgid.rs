//! `envuidgid`: see envuidgid(8).
fn main() -> std::process::ExitCode {
    unix::program::run("envuidgid", supervise::chain::envuidgid::main)
}
