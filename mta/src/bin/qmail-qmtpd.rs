//! `qmail-qmtpd`: see qmail-qmtpd(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-qmtpd", mta::receive::qmtpd::main)
}
