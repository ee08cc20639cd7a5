//! `svc`: see svc(8).
fn main() -> std::process::ExitCode {
    unix::program::run("svc", supervise::svc::main)
}
