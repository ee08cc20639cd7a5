//! `setuser`: see setuser(1).
fn main() -> std::process::ExitCode {
    unix::program::run("setuser", supervise::chain::setuser::main)
}
