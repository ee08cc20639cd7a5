//! An installation on a file system of its own: prepared once, copied for each point, and recovered after it.
//!
//! The whole home is on it but for the programs, which are the same at each point: they are shown in its `bin` from memory.

use super::image::{Image, Kind, Mount};
use super::ledger::{Ledger, Number, Verdict};
use super::mbox::Mbox;
use harness::{HOST, Instance, messages};
use std::path::Path;

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
        let stuck = self.instance.deliver_everything().err().into_iter().collect();
        self.judge(ledger, |_, recipient| Recipient::ALL.contains(&recipient))
            .and(Verdict { extra_copies: 0, wrong: stuck })
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
        let Mbox { whole, torn } = Mbox::read(&self.instance.path("alias/mbox"));
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
