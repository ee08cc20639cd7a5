//! A wall clock of an experiment's own, which can be set while programs run.
//!
//! Nobody may set the clock of the machine for a test. So our programs are started with `clock.c` in front of the C library,
//! those that are linked statically as the examples of the package `mta`, which are the same programs with the shared one. When the
//! clock is set, files keep the times that they seem to have, as they would.

use harness::{Instance, installed, processes_in, skipped};
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use unix::process::Pid;
use unix::signal::Signal;

/// The clock of one installation.
pub struct WallClock {
    moved: i64,
    file: PathBuf,
    library: PathBuf,
}

impl WallClock {
    /// A clock that shows the machine's time, if one can be made here, and programs that believe it.
    pub fn new(instance: &Instance) -> Option<WallClock> {
        if !put_programs(instance) {
            skipped("another clock needs `cargo build -p mta --examples`");
            return None;
        }
        let Some(compiler) = installed("cc") else {
            skipped("no C compiler makes a clock that can be set");
            return None;
        };
        let (file, library) = (instance.beside("clock"), instance.beside("clock.so"));
        fs::write(&file, 0_i64.to_ne_bytes()).expect("a clock");
        let source = harness::source_tree().join("tests/crash/resources/clock.c");
        let mut compile = Command::new(compiler);
        compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(source);
        assert!(compile.status().is_ok_and(|status| status.success()), "the clock is not compiled");
        let mut clock = WallClock { moved: 0, file, library };
        clock.put(YEAR);
        let shown = clock.shown_by_a_program();
        clock.put(0);
        let is_believed = shown.is_some_and(|shown| (shown - now() - YEAR).abs() < 60);
        if !is_believed {
            skipped("programs do not believe another clock here");
        }
        is_believed.then_some(clock)
    }

    /// What a program has to have in its environment.
    pub fn variables(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().expect("an ASCII path").to_owned();
        vec![
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("LABORATORY_CLOCK".to_owned(), text(&self.file)),
        ]
    }

    fn shown_by_a_program(&self) -> Option<i64> {
        let output = Command::new("date").arg("+%s").envs(self.variables()).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    }

    /// Seconds since 1970 on this clock.
    pub fn now(&self) -> i64 {
        now() + self.moved
    }

    /// The time of a file that the kernel says is this one.
    pub fn of_file(&self, kernel: i64) -> i64 {
        kernel + self.moved
    }

    /// Sets it forward by so many seconds, or back. All programs of the installation stand still meanwhile, so that nobody sees the
    /// clock set and the files not yet.
    pub fn set(&mut self, instance: &Instance, seconds: i64) {
        let running = processes_in(&instance.path("bin"));
        for (pid, _) in &running {
            let _ = unix::process::kill(Pid::from_raw(*pid), Signal::SIGSTOP);
        }
        self.put(self.moved + seconds);
        for top in ["queue", "alias"] {
            move_files(&instance.path(top), -seconds);
        }
        for (pid, _) in &running {
            let _ = unix::process::kill(Pid::from_raw(*pid), Signal::SIGCONT);
        }
    }

    fn put(&mut self, moved: i64) {
        let file = File::options().write(true).open(&self.file).expect("the clock");
        // One write of eight bytes: nobody sees half of it.
        file.write_all_at(&moved.to_ne_bytes(), 0).expect("the clock's hands");
        self.moved = moved;
    }
}

/// Puts programs with the shared C library into the place of those that are linked statically, if they were built.
fn put_programs(instance: &Instance) -> bool {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (built, small) = (harness::programs().join("examples"), harness::programs().join("examples/small"));
    fs::create_dir_all(&small).expect("a directory for programs");
    let time_of = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    let done = LINKED_STATICALLY.iter().all(|name| {
        let (built, small, place) = (built.join(name), small.join(name), instance.path("bin").join(name));
        // Without debug symbols, which are ten times the program.
        let is_new = time_of(&small).is_some_and(|small| Some(small) > time_of(&built));
        let strip = || Command::new("strip").arg("-o").arg(&small).arg(&built).status();
        built.is_file()
            && (is_new || strip().is_ok_and(|status| status.success()))
            && fs::remove_file(&place).is_ok()
            && fs::copy(&small, &place).is_ok()
    });
    drop(guard);
    done
}

/// The programs of a message's way that no library can be put in front of.
const LINKED_STATICALLY: [&str; 5] =
    ["qmail-clean", "qmail-local", "qmail-queue", "qmail-remote", "qmail-send"];

fn now() -> i64 {
    seconds(SystemTime::now())
}

/// Seconds since 1970.
pub fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    i64::try_from(since).expect("a time of our days")
}

/// Moves the times of all files below a directory.
fn move_files(directory: &Path, seconds: i64) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => move_files(&entry.path(), seconds),
            Ok(kind) if kind.is_file() => move_file(&entry.path(), seconds),
            _ => {}
        }
    }
}

/// Moves the times of one file, if it is there.
pub fn move_file(path: &Path, seconds: i64) {
    let Ok(file) = File::options().read(true).open(path) else { return };
    let found = file.metadata().expect("a file's times");
    let moved = |time: SystemTime| {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 { time - distance } else { time + distance }
    };
    let times = FileTimes::new()
        .set_accessed(moved(found.accessed().expect("a time")))
        .set_modified(moved(found.modified().expect("a time")));
    file.set_times(times).expect("a file's times");
}

/// For the proof that programs believe the clock.
const YEAR: i64 = 365 * 86_400;
