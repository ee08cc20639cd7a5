//! `tai64n`: see tai64n(8).
fn main() -> std::process::ExitCode {
    unix::program::run("tai64n", cyclog::tai64n::main)
}
