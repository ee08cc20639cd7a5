//! The directory of a try-out: an installation of one user, with one mailbox.

use super::super::home::{Home, Role};
use super::super::services::{self, Choice};
use super::super::{config, install, trouble};
use super::pop3::Pop3;
use crate::users::assign;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use unix::account::{self, Identity};
use unix::failure::Failure;
use unix::{file, lock, process};

/// The name that the host of a try-out goes by.
const HOST: &str = "localhost";

/// A prepared instance.
pub struct Instance {
    /// Its home.
    pub home: Home,
    /// Where servers listen, as tcpserver takes it.
    pub host: String,
    /// The port of SMTP.
    pub port: u16,
    /// The one of POP3.
    pub pop3: Pop3,
    /// The address of its one mailbox.
    pub mailbox: String,
    /// The maildir of the mailbox.
    pub maildir: PathBuf,
    /// Held so that nobody runs the same instance twice.
    _lock: File,
}

impl Instance {
    /// Makes or completes the instance in a directory.
    pub fn prepare(directory: &Path, port: u16) -> Result<Instance, Failure> {
        if directory.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b':' | b'\n')) {
            return Err(Failure::permanent("the directory's path must not have a colon or a line end in it"));
        }
        fs::create_dir_all(directory).map_err(|error| trouble("create", directory, &error))?;
        step_down_from_root(directory)?;
        // Before the port is looked at: an instance that runs here has it.
        let held = hold(directory)?;
        let host = listening_addresses(port)?;
        install::put_everything(directory)?;
        let home = Home::open(directory)?;
        if file::read_if_present(&home.control().join("me")).ok().flatten().is_none() {
            config::configure(directory, HOST.as_bytes())?;
        }
        let (mailbox, maildir) = make_mailbox(&home)?;
        let pop3 = Pop3::prepare(&home, port)?;
        let choice = |service, name, value: &str| Choice { service, name, value: value.to_owned() };
        let choices = [
            choice("smtpd", "HOST", &host),
            choice("smtpd", "PORT", &port.to_string()),
            choice("pop3d", "HOST", &host),
            choice("pop3d", "PORT", &pop3.port.to_string()),
            choice("pop3d", "CHECK", &pop3.check.display().to_string()),
        ];
        // The ports may be others than last time.
        for service in ["smtpd", "pop3d"] {
            let _ = fs::remove_file(services::directory(&home, service).join("run"));
        }
        services::install(&home, &choices)?;
        // What nobody starts before he wants it elsewhere is there to be tried here.
        let _ = fs::remove_file(services::directory(&home, "pop3d").join("down"));
        Ok(Instance { home, host, port, pop3, mailbox, maildir, _lock: held })
    }
}

/// The lock that says that an instance runs here.
fn hold(directory: &Path) -> Result<File, Failure> {
    let path = directory.join("lock");
    lock::try_open(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => {
            Failure::temporary(format!("an instance runs already in {}", directory.display()))
        }
        _ => trouble("lock", &path, &error),
    })
}

/// Root has accounts for a real installation; a try-out runs as the owner of its directory.
fn step_down_from_root(directory: &Path) -> Result<(), Failure> {
    if account::effective_uid() != 0 {
        return Ok(());
    }
    let unable = |error: &std::io::Error| trouble("give up root for", directory, error);
    let owner = fs::metadata(directory).map_err(|error| unable(&error))?;
    let identity = if owner.uid() == 0 {
        let nobody = account::find_user(b"nobody").ok().flatten();
        let nobody = nobody.ok_or_else(|| Failure::temporary("unable to find user nobody, to run as"))?;
        chown(directory, Some(nobody.uid), Some(nobody.gid)).map_err(|error| unable(&error))?;
        Identity::new(nobody.uid, nobody.gid)
    } else {
        Identity::new(owner.uid(), owner.gid())
    };
    identity.assume().map_err(|error| unable(&error))?;
    process::set_umask(0o022);
    Ok(())
}

/// The loopback addresses that this machine has and whose port is free.
fn listening_addresses(port: u16) -> Result<String, Failure> {
    let bind = |address: IpAddr| TcpListener::bind((address, port));
    bind(Ipv4Addr::LOCALHOST.into()).map_err(|error| {
        Failure::temporary(format!("unable to listen on 127.0.0.1 port {port} (SMTP_PORT= takes another)"))
            .because(&error)
    })?;
    let has_ipv6 = bind(Ipv6Addr::LOCALHOST.into()).is_ok();
    Ok(if has_ipv6 { "127.0.0.1,::1" } else { "127.0.0.1" }.to_owned())
}

/// The mailbox of the user, below the instance: his real one is none of our business.
fn make_mailbox(home: &Home) -> Result<(String, PathBuf), Failure> {
    let owner = home.account(Role::Alias)?;
    let mail = home.path().join("mail");
    let maildir = mail.join("Maildir");
    for part in ["tmp", "new", "cur"] {
        let path = maildir.join(part);
        fs::create_dir_all(&path).map_err(|error| trouble("create", &path, &error))?;
    }
    let (name, uid, gid, place) = (&owner.name, owner.uid, owner.gid, mail.display());
    let text = format!("={name}:{name}:{uid}:{gid}:{place}:::\n+{name}-:{name}:{uid}:{gid}:{place}:-::\n.\n");
    let users = home.path().join("users");
    let written = |error: std::io::Error| trouble("write", &users, &error);
    let compiled = assign::compile(text.as_bytes());
    let compiled =
        compiled.map_err(|_| Failure::temporary("the user's name cannot stand in users/assign"))?;
    file::replace(&users.join("assign"), &users.join("assign.new"), text.as_bytes(), 0o644)
        .map_err(written)?;
    file::replace(&users.join("cdb"), &users.join("cdb.tmp"), &compiled, 0o644).map_err(written)?;
    let host = crate::control::Control::new(home.control()).line("me")?.unwrap_or_default();
    Ok((format!("{name}@{}", String::from_utf8_lossy(&host)), maildir))
}
