//! `tcpserver`: see tcpserver(8).

fn main() -> std::process::ExitCode {
    unix::program::run("tcpserver", tcpserver::server::main)
}
