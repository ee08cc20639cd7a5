//! `maildirmake`: see maildirmake(1).

fn main() -> std::process::ExitCode {
    unix::program::run("maildirmake", mta::deliver::mailbox::maildirmake::main)
}
