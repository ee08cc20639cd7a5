//! `fixcrio`: see fixcrio(1).

fn main() -> std::process::ExitCode {
    unix::program::run("fixcrio", tcpserver::filters::fixcrio::main)
}
