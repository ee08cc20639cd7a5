//! `qmail-clean`: see qmail-clean(8).

fn main() -> std::process::ExitCode {
    unix::program::run("qmail-clean", mta::queue::clean::main)
}
