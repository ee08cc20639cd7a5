//! `maildir2mbox`: see maildir2mbox(1).

fn main() -> std::process::ExitCode {
    unix::program::run("maildir2mbox", mta::deliver::mailbox::maildir2mbox::main)
}
