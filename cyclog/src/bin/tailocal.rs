//! `tailocal`: see tailocal(1).
fn main() -> std::process::ExitCode {
    unix::program::run("tailocal", cyclog::tailocal::main)
}
