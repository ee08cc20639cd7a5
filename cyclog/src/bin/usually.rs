//! `usually`: see usually(1).
fn main() -> std::process::ExitCode {
    unix::program::run("usually", cyclog::usually::main)
}
