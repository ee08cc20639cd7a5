//! `qmail-tcpok`: see qmail-tcpok(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-tcpok", mta::deliver::remote::tcpok::main)
}
