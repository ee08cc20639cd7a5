//! The status file: what supervise leaves for svstat to read.

use super::state::{Service, State, Want};
use unix::process::Ended;
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

/// What follows the status of daemontools for a service that asks for more than daemontools did (26 bytes):
/// version 1, phase, wait status of the last end (4 bytes, little-endian, all ones for none), TAI64N label of
/// readiness (12, zeros for none), number of starts (4, little-endian), seconds of back-off (4, little-endian).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Details {
    /// What the service does.
    pub phase: Phase,
    /// How its last process ended: the number that `wait(2)` gives.
    pub last_end: Option<i32>,
    /// When the process said that it is ready.
    pub ready: Option<Stamp>,
    /// How often it was started.
    pub starts: u32,
    /// How many seconds it waits for its next start, since it keeps ending; 0 if it does not wait.
    pub back_off: u32,
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is no process.
    Down,
    /// The process runs.
    Up,
    /// `finish` runs.
    Finishing,
    /// It keeps ending, and waits.
    BackingOff,
    /// It said that it is of no use to start it again.
    Failed,
    /// It waits for other services to be up.
    Waiting,
}

const VERSION: u8 = 1;
/// Wait status of "none".
const NO_END: [u8; 4] = [0xff; 4];

impl Details {
    /// The details of a service.
    pub fn of(state: &State, last_end: Option<Ended>, ready: Option<Stamp>, starts: u32) -> Details {
        let phase = match state.service {
            Service::Up { .. } => Phase::Up,
            Service::Finishing { .. } => Phase::Finishing,
            Service::Due if state.is_backing_off() => Phase::BackingOff,
            Service::Due if state.is_waiting_for_others() => Phase::Waiting,
            Service::Down if state.failed => Phase::Failed,
            Service::Due | Service::Down => Phase::Down,
        };
        let waits = state.back_off().filter(|_| phase == Phase::BackingOff);
        let back_off = waits.map_or(0, |wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX));
        Details { phase, last_end: last_end.map(Ended::wait_status), ready, starts, back_off }
    }

    /// The bytes that follow the status.
    pub fn encode(&self) -> Vec<u8> {
        let phase = match self.phase {
            Phase::Down => 0,
            Phase::Up => 1,
            Phase::Finishing => 2,
            Phase::BackingOff => 3,
            Phase::Failed => 4,
            Phase::Waiting => 5,
        };
        [
            [VERSION, phase].as_slice(),
            &self.last_end.map_or(NO_END, i32::to_le_bytes),
            &self.ready.map_or([0; 12], Stamp::to_tai64n),
            &self.starts.to_le_bytes(),
            &self.back_off.to_le_bytes(),
        ]
        .concat()
    }

    /// Reads what [`encode`](Details::encode) wrote; nothing from any other program's bytes.
    pub fn decode(bytes: &[u8]) -> Option<Details> {
        let ([version, phase], rest) = bytes.split_first_chunk::<2>()?;
        let (last_end, rest) = rest.split_first_chunk::<4>()?;
        let (ready, rest) = rest.split_first_chunk::<12>()?;
        let (starts, back_off) = rest.split_first_chunk::<4>()?;
        let phase = match (*version, *phase) {
            (VERSION, 0) => Phase::Down,
            (VERSION, 1) => Phase::Up,
            (VERSION, 2) => Phase::Finishing,
            (VERSION, 3) => Phase::BackingOff,
            (VERSION, 4) => Phase::Failed,
            (VERSION, 5) => Phase::Waiting,
            _ => return None,
        };
        Some(Details {
            phase,
            last_end: (*last_end != NO_END).then(|| i32::from_le_bytes(*last_end)),
            ready: (*ready != [0; 12]).then(|| Stamp::from_tai64n(*ready)),
            starts: u32::from_le_bytes(*starts),
            back_off: u32::from_le_bytes(back_off.try_into().ok()?),
        })
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

    #[test]
    fn details_are_read_as_they_were_written_and_of_nobody_elses_bytes() {
        let ready = Some(Stamp { nanoseconds: 500, ..up().since });
        for phase in
            [Phase::Down, Phase::Up, Phase::Finishing, Phase::BackingOff, Phase::Failed, Phase::Waiting]
        {
            let details = Details { phase, last_end: Some(25_600), ready, starts: 7, back_off: 60 };
            assert_eq!(details.encode().len(), 26);
            assert_eq!(Details::decode(&details.encode()), Some(details));
            let none = Details { last_end: None, ready: None, ..details };
            assert_eq!(Details::decode(&none.encode()), Some(none));
        }
        for bytes in [b"".as_slice(), b"\x02\0", b"\0\x01", &[3; 22], &[1; 25], &[1; 27]] {
            assert_eq!(Details::decode(bytes), None);
        }
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
