//! `setuidgid`: see setuidgid(8).
fn main() -> std::process::ExitCode {
    unix::program::run("setuidgid", supervise::chain::setuidgid::main)
}
