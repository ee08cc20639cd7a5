//! Commands: the letters of svc, and the bytes that travel through the control FIFO.

use std::str::FromStr;
use unix::number;
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
    /// `a h i k t`, or 128 plus the number of any signal: pass it on.
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
            _ => return Signal::try_from(i32::from(byte.checked_sub(ANY_SIGNAL)?)).ok().map(Command::Signal),
        })
    }
}

/// The byte for a signal, given as `HUP`, `SIGHUP` or 1. Supervises of other makes pass over those beyond the
/// letters. That a service is stopped is known to supervise, so STOP and CONT are the commands of that name.
pub fn signal_byte(name: &[u8]) -> Option<u8> {
    let signal = match number::whole(name) {
        Some(number) => Signal::try_from(i32::try_from(number).ok()?).ok()?,
        None => {
            let name = std::str::from_utf8(name).ok()?;
            let name = name.strip_prefix("SIG").unwrap_or(name);
            Signal::from_str(&format!("SIG{name}")).ok()?
        }
    };
    match signal {
        Signal::SIGSTOP => Some(b'p'),
        Signal::SIGCONT => Some(b'c'),
        other => u8::try_from(other as i32).ok()?.checked_add(ANY_SIGNAL),
    }
}

/// Bytes from here on are signals.
const ANY_SIGNAL: u8 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_of_svc_are_commands_and_no_other_byte_is() {
        for byte in 0..ANY_SIGNAL {
            let is_letter = LETTERS.as_bytes().contains(&byte);
            assert_eq!(Command::decode(byte).is_some(), is_letter, "{byte}");
        }
    }

    #[test]
    fn every_signal_has_a_byte_by_name_and_number() {
        for signal in Signal::iterator() {
            let byte = signal_byte(signal.as_str().as_bytes());
            let short = signal.as_str().trim_start_matches("SIG").as_bytes();
            assert_eq!(signal_byte(short), byte);
            assert_eq!(signal_byte((signal as i32).to_string().as_bytes()), byte);
            let expected = match signal {
                Signal::SIGSTOP => Command::Pause,
                Signal::SIGCONT => Command::Continue,
                other => Command::Signal(other),
            };
            assert_eq!(byte.and_then(Command::decode), Some(expected));
        }
        for name in ["", "NONE", "0", "64", "-1", "SIG"] {
            assert_eq!(signal_byte(name.as_bytes()), None, "{name}");
        }
        assert_eq!(Command::decode(ANY_SIGNAL), None);
        assert_eq!(Command::decode(u8::MAX), None);
    }
}
