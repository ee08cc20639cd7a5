//! `qmail-popup`: see qmail-popup(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-popup", mta::retrieve::popup::main)
}
