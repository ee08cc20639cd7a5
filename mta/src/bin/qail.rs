//! `qail`: see qail(1).

fn main() -> std::process::ExitCode {
    unix::program::run("qail", mta::deliver::mailbox::mail_reader::mail)
}
