//! The status file: what supervise leaves for svstat to read.

use super::state::{Service, State, Want};
use unix::stamp::Stamp;

/// Length of the status file of daemontools 0.53.
pub const LENGTH_0_53: usize = 23;
/// Length of the status file of daemontools 0.76.
pub const LENGTH_0_76: usize = 18;

/// What a status file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// When the process was started or ended. The file keeps microseconds.
    pub since: Stamp,
    /// The number of the process, if there is one.
    pub pid: Option<u32>,
    /// Whether supervise was told to pause it.
    pub paused: bool,
    /// What is wanted.
    pub want: Want,
}

impl Status {
    /// The status of a service whose process was started or ended at `since`.
    pub fn of(state: &State, since: Stamp) -> Status {
        let paused = matches!(state.service, Service::Up { paused: true, .. });
        let pid = state.pid().and_then(|pid| u32::try_from(pid.as_raw()).ok());
        Status { since, pid, paused, want: state.want }
    }

    /// 0.53: stamp (12 bytes, big-endian), four zeros, process number (4, little-endian), normally up, paused, want.
    pub fn encode_0_53(&self, normally_up: bool) -> Vec<u8> {
        let flags = [u8::from(normally_up), u8::from(self.paused), encode_want(self.want)];
        [self.since.to_status_0_53().as_slice(), &[0; 4], &self.pid_bytes(), &flags].concat()
    }

    /// 0.76: TAI64N label (12 bytes, big-endian), process number (4, little-endian), paused, want.
    pub fn encode_0_76(&self) -> Vec<u8> {
        let flags = [u8::from(self.paused), encode_want(self.want)];
        [self.since.to_tai64n().as_slice(), &self.pid_bytes(), &flags].concat()
    }

    /// Reads what [`encode_0_53`](Status::encode_0_53) wrote: the status, and whether up is normal.
    /// Nothing if it is too short; what follows is passed over.
    pub fn decode_0_53(bytes: &[u8]) -> Option<(Status, bool)> {
        let (stamp, rest) = bytes.split_first_chunk::<12>()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (pid, rest) = rest.split_first_chunk::<4>()?;
        let [normally_up, paused, want] = *rest.first_chunk::<3>()?;
        let since = Stamp::from_status_0_53(*stamp);
        Some((
            Status { since, pid: decode_pid(*pid), paused: paused != 0, want: decode_want(want) },
            normally_up != 0,
        ))
    }

    /// Reads what [`encode_0_76`](Status::encode_0_76) wrote. Nothing if it is too short; what follows is passed
    /// over, since later programs append fields of their own.
    pub fn decode_0_76(bytes: &[u8]) -> Option<Status> {
        let (stamp, rest) = bytes.split_first_chunk::<12>()?;
        let (pid, rest) = rest.split_first_chunk::<4>()?;
        let [paused, want] = *rest.first_chunk::<2>()?;
        let since = Stamp::from_tai64n(*stamp);
        Some(Status { since, pid: decode_pid(*pid), paused: paused != 0, want: decode_want(want) })
    }

    fn pid_bytes(&self) -> [u8; 4] {
        self.pid.unwrap_or(0).to_le_bytes()
    }
}

fn decode_pid(bytes: [u8; 4]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes)).filter(|pid| *pid != 0)
}

fn encode_want(want: Want) -> u8 {
    match want {
        Want::Up => b'u',
        Want::Down => b'd',
        Want::Once => 0,
    }
}

fn decode_want(byte: u8) -> Want {
    match byte {
        b'u' => Want::Up,
        b'd' => Want::Down,
        _ => Want::Once,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop, proptest};

    fn up() -> Status {
        let since = Stamp { seconds: 0x6b02_dc69, nanoseconds: 0x198e_34b0 };
        Status { since, pid: Some(0x46), paused: false, want: Want::Up }
    }

    #[test]
    fn the_example_of_0_53_just_after_a_start() {
        let example = b"\x40\0\0\0\x6b\x02\xdc\x69\x19\x8e\x34\xb0\0\0\0\0\x46\0\0\0\x01\0u";
        assert_eq!(up().encode_0_53(true), example);
        assert_eq!(Status::decode_0_53(example), Some((up(), true)));
        assert_eq!(example.len(), LENGTH_0_53);
    }

    #[test]
    fn the_same_as_0_76_writes_it() {
        let example = b"\x40\0\0\0\x6b\x02\xdc\x73\x19\x8e\x36\xa4\x46\0\0\0\0u";
        assert_eq!(up().encode_0_76(), example);
        assert_eq!(example.len(), LENGTH_0_76);
    }

    #[test]
    fn a_state_is_shown_with_its_process_and_pause() {
        let mut state = State::new(Want::Once, false, false);
        let since = up().since;
        let down = Status { since, pid: None, paused: false, want: Want::Once };
        assert_eq!(Status::of(&state, since), down);
        state.service = Service::Due;
        assert_eq!(Status::of(&state, since), down);
        state.service = Service::Up { pid: unix::process::Pid::from_raw(70), paused: true };
        assert_eq!(Status::of(&state, since), Status { pid: Some(70), paused: true, ..down });
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            seconds in 0..1_u64 << 40,
            microseconds in 0..1_000_000_u32,
            pid in any::<u32>(),
            paused in any::<bool>(),
            normally_up in any::<bool>(),
            want in prop::sample::select(vec![Want::Up, Want::Down, Want::Once]),
        ) {
            let since = Stamp { seconds, nanoseconds: microseconds * 1000 };
            let status = Status { since, pid: Some(pid).filter(|pid| *pid != 0), paused, want };
            assert_eq!(Status::decode_0_53(&status.encode_0_53(normally_up)), Some((status, normally_up)));
            let read = Status::decode_0_76(&status.encode_0_76());
            let since = Stamp { nanoseconds: since.nanoseconds + 500, ..since };
            assert_eq!(read, Some(Status { since, ..status }));
        }

        #[test]
        fn a_short_file_is_no_status(bytes in prop::collection::vec(any::<u8>(), 0..LENGTH_0_53)) {
            assert_eq!(Status::decode_0_53(&bytes), None);
            assert_eq!(Status::decode_0_76(&bytes).is_some(), bytes.len() >= LENGTH_0_76);
        }
    }
}
