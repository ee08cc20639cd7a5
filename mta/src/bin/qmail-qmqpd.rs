//! `qmail-qmqpd`: see qmail-qmqpd(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-qmqpd", mta::receive::qmqpd::main)
}
