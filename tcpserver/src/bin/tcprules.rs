//! `tcprules`: see tcprules(8).

fn main() -> std::process::ExitCode {
    unix::program::run("tcprules", tcpserver::rules::compile::main)
}
