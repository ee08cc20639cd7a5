//! `tcprulescheck`: see tcprulescheck(8).

fn main() -> std::process::ExitCode {
    unix::program::run("tcprulescheck", tcpserver::rules::check::main)
}
