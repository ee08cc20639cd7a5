//! `forward`: see forward(1).

fn main() -> std::process::ExitCode {
    unix::program::run("forward", mta::deliver::commands::forward::main)
}
