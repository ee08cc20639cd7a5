//! `qsmhook`: see qsmhook(1).

fn main() -> std::process::ExitCode {
    unix::program::run("qsmhook", mta::deliver::commands::qsmhook::main)
}
