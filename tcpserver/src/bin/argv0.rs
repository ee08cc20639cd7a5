//! `argv0`: see argv0(1).

fn main() -> std::process::ExitCode {
    unix::program::run("argv0", tcpserver::filters::argv0::main)
}
