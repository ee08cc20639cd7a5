//! `tcpnames`: see tcpnames(8).

fn main() -> std::process::ExitCode {
    unix::program::run("tcpnames", tcpserver::names::program::main)
}
