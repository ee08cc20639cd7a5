//! `addcr`: see addcr(1).

fn main() -> std::process::ExitCode {
    unix::program::run("addcr", tcpserver::filters::addcr::main)
}
