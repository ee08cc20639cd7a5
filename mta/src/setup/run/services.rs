//! The services of a try-out, supervised: what svscan does for a service directory, for these few.
//!
//! Each service and its log have a supervise of their own. The pipe between them is held here, so neither
//! end loses a line while the other starts again. A supervise that dies is started again; the service that
//! it left behind is ended first, so that there is never a second one.

use super::super::services;
use super::super::{home::Home, say};
use super::instance::Instance;
use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use supervise::supervise::status::Status;
use unix::environment::Environment;
use unix::exec::{self, Search};
use unix::failure::Failure;
use unix::process::{self, Pid};
use unix::signal::{self, Signal};
use unix::{descriptor, file};

/// How long services may take to start, or to end.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// In the order in which they are started.
const NAMES: [&str; 3] = ["qmail", "smtpd", "pop3d"];

/// Everything that runs.
pub struct RunningServices {
    home: Home,
    /// Of each server, with its name.
    ports: [(&'static str, u16); 2],
    services: Vec<Service>,
}

/// A service with its log.
struct Service {
    name: &'static str,
    /// Held for life: both ends of the pipe from the service to its log.
    pipe: Option<(OwnedFd, OwnedFd)>,
    main: Supervise,
    log: Supervise,
}

/// One supervise.
struct Supervise {
    directory: PathBuf,
    pid: Option<Pid>,
}

impl RunningServices {
    /// Starts all services.
    pub fn start(instance: &Instance) -> Result<RunningServices, Failure> {
        let ports = [("smtpd", instance.port), ("pop3d", instance.pop3.port)];
        let mut running = RunningServices { home: instance.home.clone(), ports, services: Vec::new() };
        for name in NAMES {
            let pipe = descriptor::pipe()
                .map_err(|error| Failure::temporary("unable to create pipe").because(&error))?;
            let main = services::directory(&instance.home, name);
            let log = Supervise { directory: main.join("log"), pid: None };
            let main = Supervise { directory: main, pid: None };
            running.services.push(Service { name, pipe: Some(pipe), main, log });
        }
        running.restart_dead()?;
        Ok(running)
    }

    /// Starts each supervise that does not run.
    pub fn restart_dead(&mut self) -> Result<(), Failure> {
        self.reap();
        let home = &self.home;
        for service in &mut self.services {
            let Some((reader, writer)) = &service.pipe else { continue };
            service.log.ensure_running(home, Some(reader), None)?;
            service.main.ensure_running(home, None, Some(writer))?;
        }
        Ok(())
    }

    /// How long it may take until a service is tried again that could not be started.
    pub fn next_look(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn reap(&mut self) {
        while let Some((pid, _)) = process::reap_any() {
            for supervise in
                self.services.iter_mut().flat_map(|service| [&mut service.main, &mut service.log])
            {
                if supervise.pid == Some(pid) {
                    supervise.pid = None;
                }
            }
        }
    }

    /// Waits until each server answers.
    pub fn wait_for_servers(&mut self) -> Result<(), Failure> {
        for (name, port) in self.ports {
            self.wait_for(name, port)?;
        }
        Ok(())
    }

    fn wait_for(&mut self, name: &str, port: u16) -> Result<(), Failure> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            self.restart_dead()?;
            std::thread::sleep(PAUSE);
        }
        let log = services::log_directory(&self.home, name);
        Err(Failure::temporary(format!("{name} does not answer on port {port}; see {}", log.display())))
    }

    /// A line for each service: what svstat says, and the log directory.
    pub fn status_lines(&self) -> Vec<String> {
        let line = |service: &Service| {
            let output = Command::new(self.home.program("svstat")).arg(&service.main.directory).output();
            let status = output.map(|output| String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
            let log = services::log_directory(&self.home, service.name);
            format!("{}  log: {}", status.unwrap_or_default(), log.display())
        };
        self.services.iter().map(line).collect()
    }

    /// Ends the services, then their logs, which first write what is left in the pipes.
    pub fn stop(&mut self) {
        // The network first: no mail comes in while the queue manager ends.
        for service in self.services.iter_mut().rev() {
            service.main.tell(&self.home, "-dx");
        }
        let mains: Vec<Pid> = self.services.iter().filter_map(|service| service.main.pid).collect();
        wait_for_all(&mains);
        for service in &mut self.services {
            // Up once, and exit with it: the log ends when its input does.
            service.log.tell(&self.home, "-ox");
            service.pipe = None;
        }
        let logs: Vec<Pid> = self.services.iter().filter_map(|service| service.log.pid).collect();
        wait_for_all(&logs);
    }
}

fn wait_for_all(pids: &[Pid]) {
    let start = Instant::now();
    let mut left = pids.to_vec();
    while !left.is_empty() && start.elapsed() < PATIENCE {
        while let Some((pid, _)) = process::reap_any() {
            left.retain(|known| *known != pid);
        }
        std::thread::sleep(PAUSE);
    }
    for pid in left {
        say(format!("process {pid} does not end; leaving it"));
    }
}

impl Supervise {
    fn ensure_running(
        &mut self,
        home: &Home,
        input: Option<&OwnedFd>,
        output: Option<&OwnedFd>,
    ) -> Result<(), Failure> {
        if self.pid.is_some() {
            return Ok(());
        }
        self.end_orphan();
        let unable = |error: io::Error| Failure::temporary("unable to start supervise").because(&error);
        let pid = process::fork(|| become_supervise(home, &self.directory, input, output)).map_err(unable)?;
        self.pid = Some(pid);
        Ok(())
    }

    /// The service of a supervise that was killed has become our child. (Anybody else's is left alone.)
    fn end_orphan(&self) {
        let status = file::read_if_present(&self.directory.join("supervise/status")).ok().flatten();
        let pid = status.and_then(|bytes| Status::decode_0_76(&bytes)).and_then(|status| status.pid);
        let Some(pid) = pid.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw) else { return };
        if process::is_child(pid) {
            for signal in [Signal::SIGTERM, Signal::SIGCONT] {
                let _ = process::kill(pid, signal);
            }
        }
    }

    fn tell(&self, home: &Home, letters: &str) {
        let told = Command::new(home.program("svc")).arg(letters).arg(&self.directory).status();
        if !told.is_ok_and(|status| status.success()) {
            say(format!("unable to control {}", self.directory.display()));
        }
    }
}

/// The child: its own process group, so that Ctrl-C reaches only us, and an end when we end.
fn become_supervise(home: &Home, directory: &Path, input: Option<&OwnedFd>, output: Option<&OwnedFd>) -> u8 {
    let prepared = process::leave_process_group()
        .and_then(|()| process::signal_at_parents_death(Signal::SIGTERM))
        .and_then(|()| input.map_or(Ok(()), |input| descriptor::place(input.as_fd(), 0)))
        .and_then(|()| output.map_or(Ok(()), |output| descriptor::place(output.as_fd(), 1)))
        .and_then(|()| output.map_or(Ok(()), |output| descriptor::place(output.as_fd(), 2)));
    if prepared.is_err() {
        return 111;
    }
    signal::default(Signal::SIGCHLD);
    let words = [
        home.program("supervise").as_os_str().as_bytes().to_vec(),
        directory.as_os_str().as_bytes().to_vec(),
    ];
    let error = exec::exec(&words, &Environment::inherited(), Search::Direct);
    descriptor::write_error_line(&[b"unable to run supervise: ", unix::failure::describe(&error).as_bytes()]);
    111
}
