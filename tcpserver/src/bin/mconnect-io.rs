//! `mconnect-io`: see mconnect(1).

fn main() -> std::process::ExitCode {
    unix::program::run("mconnect-io", tcpserver::filters::mconnect_io::main)
}
