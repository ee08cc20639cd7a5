//! `recordio`: see recordio(1).

fn main() -> std::process::ExitCode {
    unix::program::run("recordio", tcpserver::filters::recordio::main)
}
