//! Commands: the letters of svc, and the bytes that travel through the control FIFO.

use unix::signal::Signal;

/// The letters that svc takes, in the order of its usage line.
pub const LETTERS: &str = "udorspchaitkx";

/// One letter of `svc`, as it travels through the control FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `u`
    Up,
    /// `d`
    Down,
    /// `o`
    Once,
    /// `x`: exit once there is no process.
    Exit,
    /// `p`
    Pause,
    /// `c`
    Continue,
    /// `a h i k t`: pass on a signal.
    Signal(Signal),
    /// `r` and `s`: what `svstat` is to call normal.
    Normally {
        /// Whether up is normal.
        up: bool,
    },
}

impl Command {
    /// Reads one byte; nothing for a byte that is no command.
    pub fn decode(byte: u8) -> Option<Command> {
        Some(match byte {
            b'u' => Command::Up,
            b'd' => Command::Down,
            b'o' => Command::Once,
            b'x' => Command::Exit,
            b'p' => Command::Pause,
            b'c' => Command::Continue,
            b'a' => Command::Signal(Signal::SIGALRM),
            b'h' => Command::Signal(Signal::SIGHUP),
            b'i' => Command::Signal(Signal::SIGINT),
            b'k' => Command::Signal(Signal::SIGKILL),
            b't' => Command::Signal(Signal::SIGTERM),
            b'r' => Command::Normally { up: true },
            b's' => Command::Normally { up: false },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_of_svc_are_commands_and_no_other_byte_is() {
        for byte in 0..=u8::MAX {
            let is_letter = LETTERS.as_bytes().contains(&byte);
            assert_eq!(Command::decode(byte).is_some(), is_letter, "{byte}");
        }
    }
}
