//! `envdir`: see envdir(8).
fn main() -> std::process::ExitCode {
    unix::program::run("envdir", supervise::chain::envdir::main)
}
