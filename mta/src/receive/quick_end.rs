//! How a session of a quick protocol ends, other than by being complete.

use super::netstring::Malformed;
use crate::server::connection::Lost;
use unix::failure::Failure;
use unix::program::Exit;

/// Why nothing more is served.
pub enum End {
    /// The client cannot be heard or reached any more.
    Lost(Lost),
    /// The client does not speak the protocol.
    Malformed(Malformed),
    /// We cannot go on.
    Trouble(Failure),
}

impl End {
    /// How the program ends then.
    pub fn into_exit(self) -> Result<Exit, Failure> {
        match self {
            End::Lost(Lost::Gone) => Ok(Exit::SUCCESS),
            End::Lost(Lost::Silent | Lost::SessionTooLong) => Err(Failure::temporary("client took too long")),
            End::Malformed(Malformed::Violation) => Err(Failure::permanent("protocol violation by client")),
            End::Malformed(Malformed::TooLarge) => Err(Failure::temporary("client announced too much")),
            End::Trouble(failure) => Err(failure),
        }
    }
}

impl From<Lost> for End {
    fn from(lost: Lost) -> End {
        End::Lost(lost)
    }
}

impl From<Malformed> for End {
    fn from(malformed: Malformed) -> End {
        End::Malformed(malformed)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> End {
        End::Trouble(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(end: End) -> u8 {
        end.into_exit().unwrap_or_else(|failure| failure.exit()).0
    }

    #[test]
    fn each_end_has_the_documented_status() {
        assert_eq!(status(Lost::Gone.into()), 0);
        assert_eq!(status(Lost::Silent.into()), 111);
        assert_eq!(status(Lost::SessionTooLong.into()), 111);
        assert_eq!(status(Malformed::Violation.into()), 100);
        assert_eq!(status(Malformed::TooLarge.into()), 111);
        assert_eq!(status(Failure::temporary("no process").into()), 111);
    }
}
