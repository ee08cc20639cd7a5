//! `condredirect`: see condredirect(1).

fn main() -> std::process::ExitCode {
    unix::program::run("condredirect", mta::deliver::commands::condredirect::main)
}
