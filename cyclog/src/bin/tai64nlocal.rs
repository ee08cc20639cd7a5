//! `tai64nlocal`: see tai64nlocal(8).
fn main() -> std::process::ExitCode {
    unix::program::run("tai64nlocal", cyclog::tai64nlocal::main)
}
