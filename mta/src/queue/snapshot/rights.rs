//! As which account the queue is touched, when root takes or restores a snapshot.
//!
//! Root opens, creates and removes nothing below the directories of other accounts: mess and todo are qmailq's, the rest
//! qmails'. In a home of one user, and for qmails himself, nothing changes.

use crate::setup::home::{Home, QUEUE_GROUP, Role};
use unix::account::{self, Identity};
use unix::failure::Failure;

/// The two accounts, where this process has to become them.
pub struct Rights {
    qmailq: Option<Identity>,
    qmails: Option<Identity>,
}

impl Rights {
    /// What this process needs in a home.
    pub fn of_this_process(home: &Home) -> Result<Rights, Failure> {
        if home.is_single_user() || account::effective_uid() != 0 {
            return Ok(Rights { qmailq: None, qmails: None });
        }
        let group = home.group(QUEUE_GROUP)?;
        let identity = |role| home.account(role).map(|account| Identity::new(account.uid, group));
        Ok(Rights { qmailq: Some(identity(Role::Qmailq)?), qmails: Some(identity(Role::Qmails)?) })
    }

    /// Works in directories that are qmailq's.
    pub fn as_qmailq<T>(&self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        lend(self.qmailq.as_ref(), work)
    }

    /// Works in directories that are qmails', or looks at any.
    pub fn as_qmails<T>(&self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        lend(self.qmails.as_ref(), work)
    }
}

fn lend<T>(identity: Option<&Identity>, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let Some(identity) = identity else { return work() };
    identity
        .lend(work)
        .unwrap_or_else(|error| Err(Failure::temporary("unable to change identity").because(&error)))
}
