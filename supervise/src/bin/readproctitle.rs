//! `readproctitle`: see readproctitle(8).
fn main() -> std::process::ExitCode {
    unix::program::run("readproctitle", supervise::readproctitle::main)
}
