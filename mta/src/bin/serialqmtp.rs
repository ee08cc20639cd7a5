//! `serialqmtp`: see serialqmtp(1).

fn main() -> std::process::ExitCode {
    unix::program::run("serialqmtp", mta::serial::serialqmtp::main)
}
