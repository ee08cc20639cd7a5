//! `serialsmtp`: see serialsmtp(1).

fn main() -> std::process::ExitCode {
    unix::program::run("serialsmtp", mta::serial::serialsmtp::main)
}
