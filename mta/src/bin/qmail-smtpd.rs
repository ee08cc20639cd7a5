//! `qmail-smtpd`: see qmail-smtpd(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-smtpd", mta::receive::smtpd::main)
}
