//! `dnsptr`: see dnsptr(8).

fn main() -> std::process::ExitCode {
    unix::program::run("dnsptr", tcpserver::lookups::dnsptr)
}
