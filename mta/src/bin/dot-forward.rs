//! `dot-forward`: see dot-forward(1).

fn main() -> std::process::ExitCode {
    unix::program::run("dot-forward", mta::aliases::dot_forward::main)
}
