//! `tcp-env`: see tcp-env(1).

fn main() -> std::process::ExitCode {
    unix::program::run("tcp-env", tcpserver::tcp_env::main)
}
