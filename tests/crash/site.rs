//! An installation on a file system of its own: prepared once, copied for each point, and recovered after it.
//!
//! The whole home is on it but for the programs, which are the same at each point: they are shown in its `bin` from memory.

use super::image::{Image, Kind, Mount};
use super::ledger::{Ledger, Number, Verdict};
use harness::{HOST, Instance, messages};
use std::path::Path;
use unix::process::Pid;
use unix::signal::Signal;

/// Who gets mail, and what becomes of it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// A maildir.
    Joe,
    /// An mbox.
    Ann,
    /// Nobody: the message bounces to its sender, who has a maildir.
    Gone,
    /// A maildir that cannot be had for a while, in `reordering`.
    Later,
}

impl Recipient {
    /// Those who get their mail at once.
    pub const ALL: [Recipient; 3] = [Recipient::Joe, Recipient::Ann, Recipient::Gone];

    /// The address.
    pub fn address(self) -> String {
        let local = match self {
            Recipient::Joe => "joe",
            Recipient::Ann => "ann",
            Recipient::Gone => "gone",
            Recipient::Later => "later",
        };
        format!("{local}@{HOST}")
    }
}

/// Who sends all messages and gets the bounces.
pub fn sender() -> String {
    format!("bounces@{HOST}")
}

/// The envelope of a message.
pub fn envelope(recipients: &[Recipient]) -> Vec<u8> {
    let recipients: String =
        recipients.iter().map(|recipient| format!("T{}\0", recipient.address())).collect();
    format!("F{}\0{recipients}\0", sender()).into_bytes()
}

/// The text of a number, with so many more kilobytes in its header.
pub fn with_padding(kilobytes: usize, number: Number) -> String {
    let line = format!("X-Padding: {} {}\n", number.0, "x".repeat(80));
    format!("{}{}", line.repeat(kilobytes * 1000 / line.len()), number.text())
}

/// An image with an installation in which nothing runs.
pub struct Prepared {
    directory: tempfile::TempDir,
    image: Image,
}

impl Prepared {
    /// Makes one.
    pub fn new(kind: Kind) -> Prepared {
        Prepared::with(kind, |_| {})
    }

    /// Makes one, and something more in it.
    pub fn with(kind: Kind, prepare: impl FnOnce(&mut Instance)) -> Prepared {
        let directory = harness::scratch_in_memory();
        let image = Image::new(kind, directory.path());
        let programs = directory.path().join("bin");
        std::fs::create_dir(&programs).expect("a directory for programs");
        let owner = Some(harness::owner_uid());
        std::os::unix::fs::chown(&programs, owner, owner).expect("their owner");
        let mount = Mount::new(&image, directory.path());
        let place = mount.point().join("mail/bin");
        std::fs::create_dir_all(&place).expect("a home");
        std::os::unix::fs::chown(&place, owner, owner).expect("an owner");
        mount.overlay(&programs, &place);
        let mut instance = Instance::within(mount.point());
        instance.mailbox("joe");
        instance.mailbox("bounces");
        instance.alias("ann", "./mbox\n");
        prepare(&mut instance);
        drop(instance);
        // Whoever has made a copy of all mounts meanwhile still has this one, and may write to it.
        mount.sync();
        mount.unmount();
        let image = image.moved_to(directory.path().join("prepared"));
        Prepared { directory, image }
    }

    /// A copy to work on.
    pub fn copy(&self) -> Site {
        let directory = harness::scratch_in_memory();
        let image = Image::of(self.image.kind(), directory.path().join("image"));
        image.become_copy_of(&self.image);
        Site::of(self.directory.path(), directory, image)
    }

    /// The file system that was prepared.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The same home on another file system, in that directory.
    pub fn on(&self, directory: tempfile::TempDir, image: Image) -> Site {
        Site::of(self.directory.path(), directory, image)
    }
}

/// A mounted image with its installation. The order is that of the end: processes, then the mount, then the file.
pub struct Site {
    /// The installation.
    pub instance: Instance,
    mount: Mount,
    image: Image,
    programs: std::path::PathBuf,
    directory: tempfile::TempDir,
}

impl Site {
    fn of(prepared: &Path, directory: tempfile::TempDir, image: Image) -> Site {
        let programs = prepared.join("bin");
        let mount = mounted(&image, directory.path(), &programs);
        let instance = Instance::found_within(mount.point());
        Site { instance, mount, image, programs, directory }
    }

    /// The file system.
    pub fn mount(&self) -> &Mount {
        &self.mount
    }

    /// Ends all processes at once and mounts the file system again, as after a power cut.
    pub fn boot(self) -> Site {
        let Site { instance, mount, image, programs, directory } = self;
        drop(instance);
        mount.unmount();
        let image = image.moved_to(directory.path().join("image after"));
        let mount = mounted(&image, directory.path(), &programs);
        let instance = Instance::found_within(mount.point());
        Site { instance, mount, image, programs, directory }
    }

    /// Queues a message for everybody, as a sender that notes what it was told.
    pub fn send(&self, ledger: &Ledger) {
        let number = ledger.draw();
        let mut command = self.instance.queue_command();
        if self.instance.run_queue(&mut command, number.text().as_bytes(), &envelope(&Recipient::ALL)) == 0 {
            ledger.acknowledge(number);
        }
    }

    /// Has everything delivered; each message for everybody has arrived where it should.
    pub fn deliver_and_judge(&mut self, ledger: &Ledger) -> Verdict {
        let stuck = self.deliver_everything().err().into_iter().collect();
        self.judge(ledger, |_, recipient| Recipient::ALL.contains(&recipient))
            .and(Verdict { extra_copies: 0, wrong: stuck })
    }

    /// Starts the mail system, has everything delivered, and stops it.
    ///
    /// Only a queue in which nothing runs is known to be empty. In one that works a bounce may pass from todo to info, and
    /// its cause out of info, while todo and info are listed one after the other.
    ///
    /// # Errors
    /// What does not leave the queue.
    pub fn deliver_everything(&mut self) -> Result<(), String> {
        loop {
            self.instance.start();
            if !self.seems_to_become_empty() {
                return Err(format!("stays: {:?}\n{}", self.instance.queue(), self.instance.log()));
            }
            self.instance.stop();
            if waiting(&self.instance).is_empty() {
                return Ok(());
            }
        }
    }

    fn seems_to_become_empty(&self) -> bool {
        let mut rounds = 0;
        harness::settles(|| {
            rounds += 1;
            // A delivery that failed is deferred; nobody wants to wait for its next turn.
            if rounds % 20 == 0
                && let Some(pid) = self.instance.pid_of("qmail-send")
            {
                let _ = unix::process::kill(Pid::from_raw(pid), Signal::SIGALRM);
            }
            waiting(&self.instance).is_empty()
        })
    }

    /// Holds all mailboxes against the ledger. `has` says who was to get which message.
    pub fn judge(&self, ledger: &Ledger, has: impl Fn(Number, Recipient) -> bool) -> Verdict {
        let texts = |maildir: &str| messages(&self.instance.path("alias").join(maildir));
        let ann = self.judge_mbox(ledger, |number| has(number, Recipient::Ann));
        let joe = ledger.judge("joe", &texts("joe"), |number| has(number, Recipient::Joe));
        let later = ledger.judge("later", &texts("later"), |number| has(number, Recipient::Later));
        let bounces = texts("bounces");
        joe.and(ann).and(later).and(ledger.judge("bounces", &bounces, |number| has(number, Recipient::Gone)))
    }

    /// An mbox has no place but itself for a message that is being written. So of that one it may show a part, once for a
    /// crash, between `From ` lines of its own; whoever must never see one has a maildir.
    fn judge_mbox(&self, ledger: &Ledger, wanted: impl Fn(Number) -> bool) -> Verdict {
        let bytes = std::fs::read(self.instance.path("alias/mbox")).unwrap_or_default();
        let texts = messages_of(&String::from_utf8_lossy(&bytes));
        let (whole, torn): (Vec<_>, Vec<_>) = texts.into_iter().partition(|text| Number::of(text).is_ok());
        let mut verdict = ledger.judge("ann", &whole, wanted);
        verdict.extra_copies += torn.len();
        if torn.len() > 1 {
            let torn = ledger.judge("ann", &torn, |_| false);
            verdict.wrong.extend(torn.wrong);
        }
        verdict
    }

    /// Stops using the file system, in good order.
    pub fn leave(self) {
        let Site { instance, mount, .. } = self;
        drop(instance);
        mount.unmount();
    }
}

fn mounted(image: &Image, directory: &Path, programs: &Path) -> Mount {
    let mount = Mount::new(image, directory);
    mount.overlay(programs, &mount.point().join("mail/bin"));
    mount
}

/// The messages that are accepted and not delivered.
pub fn waiting(instance: &Instance) -> Vec<String> {
    let is_message = |name: &String| name.starts_with("todo/") || name.starts_with("info/");
    instance.queue().into_iter().filter(is_message).collect()
}

/// The messages of an mbox: what stands between its `From ` lines, without the blank line that follows each.
fn messages_of(mbox: &str) -> Vec<String> {
    let whole = mbox.strip_suffix('\n').unwrap_or(mbox);
    let behind_from_line = |text: &str| text.split_once('\n').unwrap_or_default().1.to_owned();
    whole.split("\nFrom ").filter(|text| !text.is_empty()).map(behind_from_line).collect()
}

#[test]
fn an_mbox_is_taken_apart_at_its_from_lines() {
    assert_eq!(messages_of("From a\nA: b\n\nx\n\nFrom b\ny\n\n"), ["A: b\n\nx\n", "y\n"]);
    assert_eq!(messages_of(""), Vec::<String>::new());
    assert_eq!(messages_of("From a\nhalf"), ["half"]);
}
