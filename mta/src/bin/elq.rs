//! `elq`: see elq(1).

fn main() -> std::process::ExitCode {
    unix::program::run("elq", mta::deliver::mailbox::mail_reader::elm)
}
