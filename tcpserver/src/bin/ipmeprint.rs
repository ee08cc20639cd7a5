//! `ipmeprint`: see ipmeprint(8).

fn main() -> std::process::ExitCode {
    unix::program::run("ipmeprint", tcpserver::lookups::ipmeprint)
}
