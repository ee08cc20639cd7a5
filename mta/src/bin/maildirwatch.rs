//! `maildirwatch`: see maildirwatch(1).

fn main() -> std::process::ExitCode {
    unix::program::run("maildirwatch", mta::deliver::mailbox::maildirwatch::main)
}
