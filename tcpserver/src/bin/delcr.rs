//! `delcr`: see delcr(1).

fn main() -> std::process::ExitCode {
    unix::program::run("delcr", tcpserver::filters::delcr::main)
}
