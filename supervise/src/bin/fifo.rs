//! `fifo`: see fifo(1).
fn main() -> std::process::ExitCode {
    unix::program::run("fifo", supervise::fifo::main)
}
