//! `preline`: see preline(1).

fn main() -> std::process::ExitCode {
    unix::program::run("preline", mta::deliver::commands::preline::main)
}
