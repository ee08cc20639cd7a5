//! `qmail-qmqpc`: see qmail-qmqpc(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-qmqpc", mta::queue::qmqpc::main)
}
