//! `pinq`: see pinq(1).

fn main() -> std::process::ExitCode {
    unix::program::run("pinq", mta::deliver::mailbox::mail_reader::pine)
}
