//! `svwait`: see svwait(1).
fn main() -> std::process::ExitCode {
    unix::program::run("svwait", supervise::svwait::main)
}
