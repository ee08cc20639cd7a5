//! `svok`: see svok(8).
fn main() -> std::process::ExitCode {
    unix::program::run("svok", supervise::svok::main)
}
