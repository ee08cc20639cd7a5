//! `printmaillist`: see printmaillist(1).

fn main() -> std::process::ExitCode {
    unix::program::run("printmaillist", mta::aliases::printmaillist::main)
}
