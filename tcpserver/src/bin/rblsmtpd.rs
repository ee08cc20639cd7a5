//! `rblsmtpd`: see rblsmtpd(8).

fn main() -> std::process::ExitCode {
    unix::program::run("rblsmtpd", tcpserver::rblsmtpd::main)
}
