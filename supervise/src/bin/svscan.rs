//! `svscan`: see svscan(8).
fn main() -> std::process::ExitCode {
    unix::program::run("svscan", supervise::svscan::main)
}
