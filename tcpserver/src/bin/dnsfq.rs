//! `dnsfq`: see dnsfq(8).

fn main() -> std::process::ExitCode {
    unix::program::run("dnsfq", tcpserver::lookups::dnsfq)
}
