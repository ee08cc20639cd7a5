//! `sendmail`: see sendmail(1).

fn main() -> std::process::ExitCode {
    unix::program::run("sendmail", mta::receive::inject::sendmail::main)
}
