//! `accustamp`: see accustamp(1).
fn main() -> std::process::ExitCode {
    unix::program::run("accustamp", cyclog::accustamp::main)
}
