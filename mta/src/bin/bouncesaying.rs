//! `bouncesaying`: see bouncesaying(1).

fn main() -> std::process::ExitCode {
    unix::program::run("bouncesaying", mta::deliver::commands::bouncesaying::main)
}
