//! `dnsip`: see dnsip(8).

fn main() -> std::process::ExitCode {
    unix::program::run("dnsip", tcpserver::lookups::dnsip)
}
