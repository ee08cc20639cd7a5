//! `tcpclient`: see tcpclient(8).

fn main() -> std::process::ExitCode {
    unix::program::run("tcpclient", tcpserver::client::main)
}
