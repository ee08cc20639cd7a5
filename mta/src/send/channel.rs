//! The two ways out of the queue.

use crate::queue::layout::Kind;

/// A delivery path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    /// To users of this host, through qmail-lspawn and qmail-local.
    Local,
    /// To other hosts, through qmail-rspawn and qmail-remote.
    Remote,
}

impl Channel {
    /// Both, in the order in which they are looked at.
    pub const ALL: [Channel; 2] = [Channel::Local, Channel::Remote];

    /// As logs name it.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Local => "local",
            Channel::Remote => "remote",
        }
    }

    /// The queue files that hold its recipients.
    pub fn kind(self) -> Kind {
        match self {
            Channel::Local => Kind::Local,
            Channel::Remote => Kind::Remote,
        }
    }

    /// The other one.
    pub fn other(self) -> Channel {
        match self {
            Channel::Local => Channel::Remote,
            Channel::Remote => Channel::Local,
        }
    }
}

/// One thing for each channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByChannel<T> {
    /// The local channel's.
    pub local: T,
    /// The remote channel's.
    pub remote: T,
}

impl<T> ByChannel<T> {
    /// The channel's thing.
    pub fn get(&self, channel: Channel) -> &T {
        match channel {
            Channel::Local => &self.local,
            Channel::Remote => &self.remote,
        }
    }

    /// The channel's thing, to change it.
    pub fn get_mut(&mut self, channel: Channel) -> &mut T {
        match channel {
            Channel::Local => &mut self.local,
            Channel::Remote => &mut self.remote,
        }
    }
}
