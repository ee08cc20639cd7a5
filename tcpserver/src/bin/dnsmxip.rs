//! `dnsmxip`: see dnsmxip(8).

fn main() -> std::process::ExitCode {
    unix::program::run("dnsmxip", tcpserver::lookups::dnsmxip)
}
