//! `hostname`: see hostname(8).

fn main() -> std::process::ExitCode {
    unix::program::run("hostname", tcpserver::lookups::hostname)
}
