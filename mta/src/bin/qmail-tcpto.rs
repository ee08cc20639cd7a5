//! `qmail-tcpto`: see qmail-tcpto(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-tcpto", mta::deliver::remote::tcpto::main)
}
