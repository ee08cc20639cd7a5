//! `setmaillist`: see setmaillist(1).

fn main() -> std::process::ExitCode {
    unix::program::run("setmaillist", mta::aliases::setmaillist::main)
}
