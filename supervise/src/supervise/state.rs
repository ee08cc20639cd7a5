//! What supervise does about each thing that can happen: a table without clocks, files or processes.

use super::command::Command;
use std::time::Duration;
use unix::process::{Ended, Pid};
use unix::signal::Signal;

/// Two starts of a service are at least this far apart, so that one that fails at once does not eat the machine.
pub const BETWEEN_STARTS: Duration = Duration::from_secs(1);
/// How long a system that could make no new process is left alone.
pub const AFTER_FAILED_FORK: Duration = Duration::from_secs(60);

/// What a program exits with, and its `finish`, if it is of no use to start it again.
const FINAL_STATUS: u8 = 100;

/// What the service directory asks for beyond what daemontools did; nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// A service that keeps ending is started again after 1, 2, 4 … seconds, and no more than this. One that ran
    /// for as long as this is in order again.
    pub back_off: Option<Duration>,
    /// Exit status 100 of the program means that it is not started again.
    pub final_100: bool,
    /// After each end of the program, `finish` is run before anything else happens.
    pub finish: bool,
    /// How long `finish` may take before it is killed; nothing for as long as it wants.
    pub finish_limit: Option<Duration>,
}

/// What the administrator wants of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Running; started again whenever it ends.
    Up,
    /// Not running.
    Down,
    /// To run until it ends, and no more.
    Once,
}

/// What the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// There is no process, and none is due.
    Down,
    /// There is no process; one is started as soon as that is allowed.
    Due,
    /// The process runs. `paused` is what supervise was told, not what the kernel knows.
    Up {
        /// Its number.
        pid: Pid,
        /// Whether it was told to stop and not yet to go on.
        paused: bool,
    },
    /// The process has ended, and what runs is `finish`.
    Finishing {
        /// Its number, as soon as it has one.
        pid: Option<Pid>,
        /// Whether the service is started again after it.
        again: bool,
    },
}

/// Whether a start is allowed now. Every kind of closed gate ends with the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    /// The last start is too recent.
    AfterStart,
    /// The last fork failed.
    AfterFailedFork,
    /// The service keeps ending.
    BackOff,
    /// Other services have to be up first.
    Others,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// supervise is ready to start the service for the first time.
    Begin,
    /// A command came.
    Command(Command),
    /// The start that was asked for made this process.
    Started(Pid),
    /// The start that was asked for made no process.
    ForkFailed,
    /// The start that was asked for has to wait for other services.
    OthersNotUp,
    /// The process of the service ended, having run so long.
    Died {
        /// How it ended.
        ended: Ended,
        /// The time from its start.
        ran: Duration,
    },
    /// The `finish` that was asked for made this process, or none.
    FinishStarted(Option<Pid>),
    /// The process of `finish` ended.
    Finished(Ended),
    /// The process of `finish` has run for as long as it may.
    FinishTooLong,
    /// The timer that was asked for ran out.
    TimerExpired,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the service, and report [`Event::Started`] or [`Event::ForkFailed`].
    Start,
    /// Run `finish`, telling it how the program ended, and report [`Event::FinishStarted`].
    Finish(Ended),
    /// Report [`Event::FinishTooLong`] after this time, unless `finish` has ended.
    LimitFinish(Duration),
    /// Send its process a signal.
    Signal(Signal),
    /// Report [`Event::TimerExpired`] after this time. A timer that was set before is forgotten.
    SetTimer(Duration),
    /// End supervise.
    Exit,
}

/// Everything that supervise knows about its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What is wanted.
    pub want: Want,
    /// What is.
    pub service: Service,
    /// What `svstat` calls normal, where the status file says so.
    pub normally_up: bool,
    /// What the service directory asks for.
    pub rules: Rules,
    /// The service said that it is of no use to start it again, and nobody has asked for it since.
    pub failed: bool,
    exiting: bool,
    gate: Gate,
    /// How often in a row the service ended too soon.
    short_runs: u32,
}

impl State {
    /// Before the first start. `exiting` makes supervise end together with the first process.
    pub fn new(want: Want, normally_up: bool, exiting: bool) -> State {
        State {
            want,
            service: Service::Down,
            normally_up,
            rules: Rules::default(),
            failed: false,
            exiting,
            gate: Gate::Open,
            short_runs: 0,
        }
    }

    /// The process of the service, if there is one.
    pub fn pid(&self) -> Option<Pid> {
        match self.service {
            Service::Up { pid, .. } => Some(pid),
            Service::Down | Service::Due | Service::Finishing { .. } => None,
        }
    }

    /// The process of `finish`, if there is one.
    pub fn finish_pid(&self) -> Option<Pid> {
        match self.service {
            Service::Finishing { pid, .. } => pid,
            Service::Down | Service::Due | Service::Up { .. } => None,
        }
    }

    /// How long a service that keeps ending waits for its next start; nothing if it does not wait.
    pub fn back_off(&self) -> Option<Duration> {
        let longest = self.rules.back_off?;
        let doublings = self.short_runs.checked_sub(1)?;
        let wait = BETWEEN_STARTS.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
        Some(wait.min(longest))
    }

    /// Whether it waits for that now.
    pub fn is_backing_off(&self) -> bool {
        self.service == Service::Due && self.gate == Gate::BackOff
    }

    /// Whether it waits for other services.
    pub fn is_waiting_for_others(&self) -> bool {
        self.service == Service::Due && self.gate == Gate::Others
    }

    /// The table.
    pub fn step(&mut self, event: Event) -> Vec<Action> {
        match event {
            Event::Begin if self.want == Want::Down => self.go_on(),
            Event::Begin => self.bring_up(),
            Event::Command(command) => self.obey(command),
            Event::Started(pid) => {
                self.service = Service::Up { pid, paused: false };
                self.gate = Gate::AfterStart;
                vec![Action::SetTimer(BETWEEN_STARTS)]
            }
            Event::ForkFailed => {
                self.gate = Gate::AfterFailedFork;
                vec![Action::SetTimer(AFTER_FAILED_FORK)]
            }
            Event::OthersNotUp => {
                self.gate = Gate::Others;
                vec![Action::SetTimer(BETWEEN_STARTS)]
            }
            Event::Died { ended, ran } => self.end(ended, ran),
            Event::FinishStarted(None) => self.after_finish(),
            Event::FinishStarted(started) => {
                if let Service::Finishing { pid, .. } = &mut self.service {
                    *pid = started;
                }
                self.rules.finish_limit.map(Action::LimitFinish).into_iter().collect()
            }
            Event::FinishTooLong => {
                self.finish_pid().map(|_| Action::Signal(Signal::SIGKILL)).into_iter().collect()
            }
            Event::Finished(ended) => {
                if ended == Ended::Exited(FINAL_STATUS) {
                    self.give_up();
                }
                self.after_finish()
            }
            Event::TimerExpired => {
                self.gate = Gate::Open;
                self.go_on()
            }
        }
    }

    fn end(&mut self, ended: Ended, ran: Duration) -> Vec<Action> {
        let long_enough = self.rules.back_off.is_some_and(|longest| ran >= longest);
        self.short_runs = if long_enough { 0 } else { self.short_runs.saturating_add(1) };
        let again = self.want == Want::Up && !self.exiting;
        self.service = Service::Finishing { pid: None, again };
        if self.rules.final_100 && ended == Ended::Exited(FINAL_STATUS) {
            self.give_up();
        }
        if self.rules.finish { vec![Action::Finish(ended)] } else { self.after_finish() }
    }

    fn after_finish(&mut self) -> Vec<Action> {
        let again = matches!(self.service, Service::Finishing { again: true, .. });
        self.service = if again { Service::Due } else { Service::Down };
        match self.back_off() {
            Some(wait) if again => {
                self.gate = Gate::BackOff;
                vec![Action::SetTimer(wait)]
            }
            _ => self.go_on(),
        }
    }

    fn give_up(&mut self) {
        self.want = Want::Down;
        self.failed = true;
        self.start_after_finish(false);
    }

    /// Decides what follows `finish`, if it runs; whether it does.
    fn start_after_finish(&mut self, wanted: bool) -> bool {
        match &mut self.service {
            Service::Finishing { again, .. } => {
                *again = wanted;
                true
            }
            Service::Down | Service::Due | Service::Up { .. } => false,
        }
    }

    fn obey(&mut self, command: Command) -> Vec<Action> {
        match command {
            Command::Up => {
                self.want = Want::Up;
                self.bring_up()
            }
            Command::Once => {
                self.want = Want::Once;
                self.bring_up()
            }
            Command::Down => {
                self.want = Want::Down;
                self.bring_down()
            }
            Command::Exit => {
                self.exiting = true;
                self.start_after_finish(false);
                self.go_on()
            }
            Command::Pause => self.pause(true, Signal::SIGSTOP),
            Command::Continue => self.pause(false, Signal::SIGCONT),
            Command::Signal(signal) => {
                let process = self.pid().or(self.finish_pid());
                process.map(|_| Action::Signal(signal)).into_iter().collect()
            }
            Command::Normally { up } => {
                self.normally_up = up;
                Vec::new()
            }
        }
    }

    /// A process that runs is left alone. The administrator need not wait for the minute after a failed fork, nor
    /// for a service that kept ending; that one gets a second, since it may have been started just now.
    fn bring_up(&mut self) -> Vec<Action> {
        self.failed = false;
        self.short_runs = 0;
        if self.pid().is_some() || self.start_after_finish(true) {
            return Vec::new();
        }
        self.service = Service::Due;
        match self.gate {
            Gate::AfterFailedFork => self.gate = Gate::Open,
            Gate::BackOff => {
                self.gate = Gate::AfterStart;
                return vec![Action::SetTimer(BETWEEN_STARTS)];
            }
            Gate::Open | Gate::AfterStart | Gate::Others => {}
        }
        self.go_on()
    }

    /// A stopped process would not see TERM before it goes on.
    fn bring_down(&mut self) -> Vec<Action> {
        match &mut self.service {
            Service::Up { paused, .. } => {
                *paused = false;
                vec![Action::Signal(Signal::SIGTERM), Action::Signal(Signal::SIGCONT)]
            }
            Service::Down | Service::Due => {
                self.service = Service::Down;
                self.go_on()
            }
            Service::Finishing { again, .. } => {
                *again = false;
                Vec::new()
            }
        }
    }

    fn pause(&mut self, pause: bool, signal: Signal) -> Vec<Action> {
        match &mut self.service {
            Service::Up { paused, .. } => {
                *paused = pause;
                vec![Action::Signal(signal)]
            }
            Service::Down | Service::Due | Service::Finishing { .. } => Vec::new(),
        }
    }

    /// What follows from the state alone. A start that is due within the second comes before an exit, so that
    /// `svc -ux` runs the service once more; one that waits for a system without processes does not.
    fn go_on(&self) -> Vec<Action> {
        match (self.service, self.gate) {
            (Service::Up { .. } | Service::Finishing { .. }, _) | (Service::Due, Gate::AfterStart) => {
                Vec::new()
            }
            (Service::Due, Gate::Open) => vec![Action::Start],
            (Service::Due | Service::Down, _) if self.exiting => vec![Action::Exit],
            (Service::Due | Service::Down, _) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::LETTERS;
    use super::*;
    use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};

    const TERM_THEN_CONTINUE: [Action; 2] =
        [Action::Signal(Signal::SIGTERM), Action::Signal(Signal::SIGCONT)];

    fn died() -> Event {
        died_after(0, 1)
    }

    fn died_after(seconds: u64, status: u8) -> Event {
        Event::Died { ended: Ended::Exited(status), ran: Duration::from_secs(seconds) }
    }

    fn wanting(want: Want) -> State {
        State::new(want, true, false)
    }

    fn pid() -> Pid {
        Pid::from_raw(70)
    }

    fn up(paused: bool) -> Service {
        Service::Up { pid: pid(), paused }
    }

    /// A service that has run for longer than a second.
    fn running(want: Want) -> State {
        let mut state = wanting(Want::Up);
        assert_eq!(state.step(Event::Begin), [Action::Start]);
        assert_eq!(state.step(Event::Started(pid())), [Action::SetTimer(BETWEEN_STARTS)]);
        assert_eq!(state.step(Event::TimerExpired), []);
        state.want = want;
        state
    }

    /// One whose first process died within its first second.
    fn waiting() -> State {
        let mut state = wanting(Want::Up);
        state.step(Event::Begin);
        state.step(Event::Started(pid()));
        assert_eq!(state.step(died()), []);
        state
    }

    fn without_processes() -> State {
        let mut state = wanting(Want::Up);
        state.step(Event::Begin);
        assert_eq!(state.step(Event::ForkFailed), [Action::SetTimer(AFTER_FAILED_FORK)]);
        state
    }

    fn send(state: &mut State, letters: &str) -> Vec<Action> {
        letters
            .bytes()
            .filter_map(Command::decode)
            .flat_map(|command| state.step(Event::Command(command)))
            .collect()
    }

    #[test]
    fn the_first_start_is_immediate_unless_down_is_wanted() {
        assert_eq!(wanting(Want::Up).step(Event::Begin), [Action::Start]);
        assert_eq!(wanting(Want::Once).step(Event::Begin), [Action::Start]);
        assert_eq!(wanting(Want::Down).step(Event::Begin), []);
    }

    #[test]
    fn asked_to_exit_from_the_start_it_runs_the_service_first() {
        let mut state = State::new(Want::Up, true, true);
        assert_eq!(state.step(Event::Begin), [Action::Start]);
        state.step(Event::Started(pid()));
        assert_eq!(state.step(died()), [Action::Exit]);
        assert_eq!(State::new(Want::Down, true, true).step(Event::Begin), [Action::Exit]);
    }

    #[test]
    fn a_service_that_ran_for_a_while_is_started_again_at_once() {
        assert_eq!(running(Want::Up).step(died()), [Action::Start]);
    }

    #[test]
    fn a_service_that_fails_at_once_is_started_again_a_second_after_its_start() {
        let mut state = waiting();
        assert_eq!(state.service, Service::Due);
        assert_eq!(send(&mut state, "u"), []);
        assert_eq!(state.step(Event::TimerExpired), [Action::Start]);
    }

    #[test]
    fn once_means_that_it_is_not_started_again() {
        let mut state = running(Want::Up);
        assert_eq!(send(&mut state, "o"), []);
        assert_eq!(state.step(died()), []);
        assert_eq!(state.service, Service::Down);
        assert_eq!(send(&mut state, "o"), [Action::Start]);
    }

    #[test]
    fn once_asked_for_in_the_wait_gives_one_start() {
        let mut state = waiting();
        assert_eq!(send(&mut state, "o"), []);
        assert_eq!(state.step(Event::TimerExpired), [Action::Start]);
        state.step(Event::Started(pid()));
        assert_eq!(state.step(died()), []);
        assert_eq!(state.step(Event::TimerExpired), []);
    }

    #[test]
    fn down_ends_the_process_and_takes_back_a_start_that_is_due() {
        let mut state = running(Want::Up);
        assert_eq!(send(&mut state, "d"), TERM_THEN_CONTINUE);
        assert_eq!(state.step(died()), []);
        let mut state = waiting();
        assert_eq!(send(&mut state, "d"), []);
        assert_eq!(state.step(Event::TimerExpired), []);
        assert_eq!(state.service, Service::Down);
    }

    #[test]
    fn a_signal_goes_to_a_process_and_to_nothing_else() {
        let letters = "ahikt";
        let signals = [Signal::SIGALRM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGKILL, Signal::SIGTERM];
        assert_eq!(send(&mut running(Want::Up), letters), signals.map(Action::Signal));
        assert_eq!(send(&mut waiting(), letters), []);
        assert_eq!(send(&mut wanting(Want::Down), letters), []);
    }

    #[test]
    fn t_k_u_in_one_breath_start_no_second_process() {
        let mut state = running(Want::Up);
        let signals = [Action::Signal(Signal::SIGTERM), Action::Signal(Signal::SIGKILL)];
        assert_eq!(send(&mut state, "tku"), signals);
        assert_eq!(state.service, up(false));
        assert_eq!(state.step(died()), [Action::Start]);
    }

    #[test]
    fn a_death_between_t_and_k_saves_the_next_process_from_nothing_but_k() {
        let mut state = running(Want::Up);
        send(&mut state, "t");
        assert_eq!(state.step(died()), [Action::Start]);
        state.step(Event::Started(Pid::from_raw(71)));
        assert_eq!(send(&mut state, "k"), [Action::Signal(Signal::SIGKILL)]);
        assert_eq!(state.step(died()), []);
        assert_eq!(send(&mut state, "u"), []);
        assert_eq!(state.step(Event::TimerExpired), [Action::Start]);
    }

    #[test]
    fn pause_lasts_until_continue_down_or_a_new_process() {
        let mut state = running(Want::Up);
        assert_eq!(send(&mut state, "p"), [Action::Signal(Signal::SIGSTOP)]);
        assert_eq!(state.service, up(true));
        assert_eq!(send(&mut state, "c"), [Action::Signal(Signal::SIGCONT)]);
        assert_eq!(state.service, up(false));

        send(&mut state, "pd");
        assert_eq!(state.service, up(false));

        send(&mut state, "up");
        assert_eq!(state.service, up(true));
        state.step(died());
        state.step(Event::Started(pid()));
        assert_eq!(state.service, up(false));
    }

    #[test]
    fn a_service_without_a_process_cannot_be_paused() {
        let mut state = waiting();
        assert_eq!(send(&mut state, "pc"), []);
        assert_eq!(state.service, Service::Due);
    }

    #[test]
    fn exit_waits_for_the_process_and_comes_before_a_restart() {
        let mut state = running(Want::Up);
        assert_eq!(send(&mut state, "x"), []);
        assert_eq!(state.step(died()), [Action::Exit]);
        assert_eq!(send(&mut wanting(Want::Down), "x"), [Action::Exit]);
        assert_eq!(send(&mut running(Want::Up), "dx"), TERM_THEN_CONTINUE);
    }

    #[test]
    fn up_and_exit_in_the_wait_run_the_service_once_more() {
        let mut state = waiting();
        assert_eq!(send(&mut state, "ux"), []);
        assert_eq!(state.step(Event::TimerExpired), [Action::Start]);
        state.step(Event::Started(pid()));
        assert_eq!(state.step(died()), [Action::Exit]);
        assert_eq!(send(&mut waiting(), "dx"), [Action::Exit]);
    }

    #[test]
    fn normally_up_and_down_change_the_status_alone() {
        let mut state = running(Want::Up);
        assert_eq!(send(&mut state, "s"), []);
        assert!(!state.normally_up);
        assert_eq!(send(&mut state, "r"), []);
        assert_eq!(state, running(Want::Up));
    }

    #[test]
    fn r4_a_failed_fork_is_tried_again_by_timer_or_at_once_for_u() {
        assert_eq!(without_processes().step(Event::TimerExpired), [Action::Start]);
        assert_eq!(send(&mut without_processes(), "u"), [Action::Start]);
        assert_eq!(send(&mut without_processes(), "o"), [Action::Start]);
    }

    #[test]
    fn r4_after_a_failed_fork_down_and_exit_are_obeyed_at_once() {
        let mut state = without_processes();
        assert_eq!(send(&mut state, "d"), []);
        assert_eq!(state.step(Event::TimerExpired), []);
        assert_eq!(send(&mut without_processes(), "x"), [Action::Exit]);
    }

    fn with_rules(rules: Rules) -> State {
        State { rules, ..running(Want::Up) }
    }

    #[test]
    fn a_service_that_keeps_ending_waits_longer_and_longer_until_it_ran_long_enough() {
        let longest = Duration::from_secs(60);
        let mut state = with_rules(Rules { back_off: Some(longest), ..Rules::default() });
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(state.step(died_after(59, 0)), [Action::SetTimer(Duration::from_secs(wait))]);
            assert!(state.is_backing_off());
            assert_eq!(state.step(Event::TimerExpired), [Action::Start]);
            state.step(Event::Started(pid()));
            state.step(Event::TimerExpired);
        }
        assert_eq!(state.step(died_after(60, 0)), [Action::Start]);
        state.step(Event::Started(pid()));
        assert_eq!(state.step(died_after(0, 0)), [Action::SetTimer(Duration::from_secs(1))]);
    }

    #[test]
    fn up_ends_the_wait_of_a_service_that_keeps_ending_and_down_its_restarts() {
        let rules = Rules { back_off: Some(Duration::from_secs(60)), ..Rules::default() };
        let mut state = with_rules(rules.clone());
        state.short_runs = 5;
        assert_eq!(state.step(died()), [Action::SetTimer(Duration::from_secs(32))]);
        assert_eq!(send(&mut state, "u"), [Action::SetTimer(BETWEEN_STARTS)]);
        assert!(!state.is_backing_off());
        assert_eq!(state.step(Event::TimerExpired), [Action::Start]);
        let mut state = with_rules(rules);
        state.step(died());
        assert_eq!(send(&mut state, "d"), []);
        assert_eq!(state.step(Event::TimerExpired), []);
    }

    #[test]
    fn status_100_is_final_only_where_that_is_asked_for() {
        assert_eq!(running(Want::Up).step(died_after(9, 100)), [Action::Start]);
        let mut state = with_rules(Rules { final_100: true, ..Rules::default() });
        assert_eq!(state.step(died_after(9, 100)), []);
        assert_eq!((state.want, state.service, state.failed), (Want::Down, Service::Down, true));
        assert_eq!(send(&mut state, "u"), [Action::Start]);
        assert!(!state.failed);
        state.step(Event::Started(pid()));
        state.step(Event::TimerExpired);
        assert_eq!(state.step(died_after(9, 111)), [Action::Start]);
    }

    fn finishing() -> State {
        let mut state = with_rules(Rules { finish: true, ..Rules::default() });
        assert_eq!(state.step(died()), [Action::Finish(Ended::Exited(1))]);
        assert_eq!(state.step(Event::FinishStarted(Some(Pid::from_raw(80)))), []);
        state
    }

    #[test]
    fn the_service_is_started_again_when_finish_has_ended() {
        let mut state = finishing();
        assert_eq!((state.pid(), state.finish_pid()), (None, Some(Pid::from_raw(80))));
        assert_eq!(state.step(Event::TimerExpired), []);
        assert_eq!(send(&mut state, "u"), []);
        assert_eq!(state.step(Event::Finished(Ended::Exited(0))), [Action::Start]);
    }

    #[test]
    fn commands_that_come_while_finish_runs_count_when_it_has_ended() {
        for (letters, actions) in [
            ("d", vec![]),
            ("o", vec![Action::Start]),
            ("x", vec![Action::Exit]),
            ("du", vec![Action::Start]),
        ] {
            let mut state = finishing();
            assert_eq!(send(&mut state, letters), []);
            assert_eq!(state.step(Event::Finished(Ended::Exited(0))), actions, "{letters}");
        }
        assert_eq!(send(&mut finishing(), "pk"), [Action::Signal(Signal::SIGKILL)]);
    }

    #[test]
    fn status_100_of_finish_is_final() {
        let mut state = finishing();
        assert_eq!(state.step(Event::Finished(Ended::Exited(100))), []);
        assert_eq!((state.service, state.failed), (Service::Down, true));
    }

    #[test]
    fn a_finish_that_takes_too_long_is_killed_and_the_service_started_again() {
        let limit = Duration::from_secs(5);
        let rules = Rules { finish: true, finish_limit: Some(limit), ..Rules::default() };
        let mut state = with_rules(rules);
        state.step(died());
        let finish = Event::FinishStarted(Some(Pid::from_raw(80)));
        assert_eq!(state.step(finish), [Action::LimitFinish(limit)]);
        assert_eq!(state.step(Event::FinishTooLong), [Action::Signal(Signal::SIGKILL)]);
        let killed = Ended::Killed { signal: Signal::SIGKILL as i32, dumped: false };
        assert_eq!(state.step(Event::Finished(killed)), [Action::Start]);
        assert_eq!(state.step(Event::FinishTooLong), []);
    }

    #[test]
    fn a_service_that_waits_for_others_asks_again_and_obeys_meanwhile() {
        let mut state = wanting(Want::Up);
        state.step(Event::Begin);
        assert_eq!(state.step(Event::OthersNotUp), [Action::SetTimer(BETWEEN_STARTS)]);
        assert!(state.is_waiting_for_others());
        assert_eq!(send(&mut state, "u"), []);
        assert_eq!(state.step(Event::TimerExpired), [Action::Start]);
        state.step(Event::OthersNotUp);
        assert_eq!(send(&mut state, "d"), []);
        assert_eq!(state.step(Event::TimerExpired), []);
        send(&mut state, "u");
        state.step(Event::OthersNotUp);
        assert_eq!(send(&mut state, "dx"), [Action::Exit]);
    }

    #[test]
    fn a_finish_that_cannot_be_run_is_done_without() {
        let mut state = with_rules(Rules { finish: true, ..Rules::default() });
        state.step(died());
        assert_eq!(state.step(Event::FinishStarted(None)), [Action::Start]);
    }

    fn event() -> impl Strategy<Value = Event> {
        let command = prop::sample::select(LETTERS.as_bytes())
            .prop_filter_map("a command", |byte| Command::decode(byte).map(Event::Command));
        prop_oneof![6 => command, 2 => proptest::strategy::Just(died()),
            2 => proptest::strategy::Just(Event::TimerExpired)]
    }

    proptest! {
        /// Whatever happens: never two processes, no signal without a process, no two processes without an
        /// expired timer between their starts, and no exit that leaves a process behind.
        #[test]
        fn one_process_at_most(events in prop::collection::vec((event(), any::<bool>()), 0..60)) {
            let mut state = wanting(Want::Up);
            let mut timer_runs = false;
            let mut started_lately = false;
            let mut queue = vec![(Event::Begin, true)];
            queue.extend(events);
            for (event, fork_works) in queue {
                let impossible = match event {
                    Event::Died { .. } => state.pid().is_none(),
                    Event::TimerExpired => !timer_runs,
                    _ => false,
                };
                if impossible {
                    continue;
                }
                if event == Event::TimerExpired {
                    timer_runs = false;
                    started_lately = false;
                }
                for action in state.step(event) {
                    match action {
                        Action::Start => {
                            assert_eq!(state.service, Service::Due);
                            assert!(!started_lately);
                            started_lately = fork_works;
                            let result = if fork_works { Event::Started(pid()) } else { Event::ForkFailed };
                            assert!(matches!(state.step(result).as_slice(), [Action::SetTimer(_)]));
                            timer_runs = true;
                        }
                        Action::Finish(_) | Action::LimitFinish(_) => {
                            unreachable!("no rule asks for it")
                        }
                        Action::Signal(_) => assert!(state.pid().is_some()),
                        Action::SetTimer(_) => unreachable!("only a start sets the timer"),
                        Action::Exit => {
                            assert_eq!(state.pid(), None);
                            return Ok(());
                        }
                    }
                }
            }
        }
    }
}
