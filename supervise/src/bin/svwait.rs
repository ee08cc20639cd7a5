//! `svwait`: see svwait(8).
fn main() -> std::process::ExitCode {
    unix::program::run("svwait", supervise::svwait::main)
}
