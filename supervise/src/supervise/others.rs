//! Other services, which have to be up before this one is started.

use crate::svstat::look::look_at;
use unix::directory::WorkingDirectory;
use unix::failure::Failure;

/// The way to them and back.
#[derive(Debug)]
pub struct Others {
    home: WorkingDirectory,
}

impl Others {
    /// As seen from the working directory.
    pub fn new() -> Result<Others, Failure> {
        let home = WorkingDirectory::current()
            .map_err(|error| Failure::temporary("unable to open current directory").because(&error))?;
        Ok(Others { home })
    }

    /// Whether a service is up, and is ready if it is one that tells.
    pub fn is_up(&self, name: &[u8]) -> bool {
        let seen = look_at(name).ok().filter(|seen| seen.is_supervised);
        // In the directory of the other, if that could be entered.
        let tells = std::fs::symlink_metadata("notification-fd").is_ok();
        let is_back = self.home.enter().is_ok();
        let is_up = seen.is_some_and(|seen| {
            let is_ready = seen.details.is_some_and(|details| details.ready.is_some());
            seen.status.pid.is_some() && (is_ready || !tells)
        });
        is_up && is_back
    }
}
