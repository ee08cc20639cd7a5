//! Service directories: the templates of the source tree, with the paths of one installation.
//!
//! What an administrator has changed is his: a file that is there is never written again.

use super::config::write_new;
use super::home::{DEFAULT_HOME, Home, Role};
use super::{say, trouble};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use unix::failure::{self, Failure};

/// What an installation decides about a service: variables at the head of its `run`, each in the place of the template's.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The service.
    pub service: &'static str,
    /// The variable.
    pub name: &'static str,
    /// What it is to be.
    pub value: String,
}

/// A file of a service directory.
struct Template {
    path: &'static str,
    text: &'static str,
    mode: u32,
}

const TEMPLATES: &[Template] = &[
    Template {
        path: "service/qmail/run",
        text: include_str!("../../../service-templates/qmail/run"),
        mode: 0o755,
    },
    Template {
        path: "service/qmail/log/run",
        text: include_str!("../../../service-templates/qmail/log/run"),
        mode: 0o755,
    },
    Template { path: "rc", text: include_str!("../../../service-templates/qmail/rc"), mode: 0o755 },
    Template {
        path: "service/smtpd/run",
        text: include_str!("../../../service-templates/smtpd/run"),
        mode: 0o755,
    },
    Template {
        path: "service/smtpd/log/run",
        text: include_str!("../../../service-templates/smtpd/log/run"),
        mode: 0o755,
    },
    Template {
        path: "service/smtpd/rules",
        text: include_str!("../../../service-templates/smtpd/rules"),
        mode: 0o644,
    },
    Template {
        path: "service/qmtpd/down",
        text: include_str!("../../../service-templates/qmtpd/down"),
        mode: 0o644,
    },
    Template {
        path: "service/qmtpd/run",
        text: include_str!("../../../service-templates/qmtpd/run"),
        mode: 0o755,
    },
    Template {
        path: "service/qmtpd/log/run",
        text: include_str!("../../../service-templates/qmtpd/log/run"),
        mode: 0o755,
    },
    Template {
        path: "service/qmtpd/rules",
        text: include_str!("../../../service-templates/qmtpd/rules"),
        mode: 0o644,
    },
    Template {
        path: "service/qmqpd/down",
        text: include_str!("../../../service-templates/qmqpd/down"),
        mode: 0o644,
    },
    Template {
        path: "service/qmqpd/run",
        text: include_str!("../../../service-templates/qmqpd/run"),
        mode: 0o755,
    },
    Template {
        path: "service/qmqpd/log/run",
        text: include_str!("../../../service-templates/qmqpd/log/run"),
        mode: 0o755,
    },
    Template {
        path: "service/qmqpd/rules",
        text: include_str!("../../../service-templates/qmqpd/rules"),
        mode: 0o644,
    },
    Template {
        path: "service/pop3d/down",
        text: include_str!("../../../service-templates/pop3d/down"),
        mode: 0o644,
    },
    Template {
        path: "service/pop3d/run",
        text: include_str!("../../../service-templates/pop3d/run"),
        mode: 0o755,
    },
    Template {
        path: "service/pop3d/log/run",
        text: include_str!("../../../service-templates/pop3d/log/run"),
        mode: 0o755,
    },
    Template {
        path: "service/pop3d/rules",
        text: include_str!("../../../service-templates/pop3d/rules"),
        mode: 0o644,
    },
];

/// The services that every mail server needs, in the order in which they are started.
pub const NAMES: [&str; 2] = ["qmail", "smtpd"];

/// Services that are installed and not started: which ports to open is the administrator's decision.
const OPTIONAL: [&str; 3] = ["qmtpd", "qmqpd", "pop3d"];

/// The directory of a service.
pub fn directory(home: &Home, service: &str) -> PathBuf {
    home.path().join("service").join(service)
}

/// Where a service's log files are: `/var/log/NAME`, or `HOME/log/NAME` for a home elsewhere.
pub fn log_directory(home: &Home, service: &str) -> PathBuf {
    let base = if home.path() == Path::new(DEFAULT_HOME) {
        PathBuf::from("/var/log")
    } else {
        home.path().join("log")
    };
    base.join(service)
}

/// Installs the service directories, their log directories and the compiled rules.
pub fn install(home: &Home, choices: &[Choice]) -> Result<(), Failure> {
    for service in NAMES.into_iter().chain(OPTIONAL) {
        let log = directory(home, service).join("log");
        fs::create_dir_all(&log).map_err(|error| trouble("create", &log, &error))?;
        make_log_directory(home, service)?;
    }
    for template in TEMPLATES {
        let path = home.path().join(template.path);
        if is_wanted(&path) {
            write_new(&path, fill_in(template, home, choices).as_bytes(), template.mode)?;
        }
    }
    NAMES.into_iter().chain(OPTIONAL).try_for_each(|service| compile_rules(home, service))
}

/// Whether a file is to be there. A `down` that a service has not although it was installed before was removed.
fn is_wanted(path: &Path) -> bool {
    !path.ends_with("down") || !path.with_file_name("run").exists()
}

/// Sets the variables at the head of a script; all else stays as it is in the source tree.
fn fill_in(template: &Template, home: &Home, choices: &[Choice]) -> String {
    let service = template.path.split('/').nth(1).unwrap_or_default();
    let value_of = |name: &str| match name {
        "QMAIL" => Some(home.path().display().to_string()),
        "LOG" => Some(log_directory(home, service).display().to_string()),
        _ => {
            let choice = choices.iter().find(|choice| choice.service == service && choice.name == name);
            choice.map(|choice| choice.value.clone())
        }
    };
    let line = |line: &str| {
        let value = line.split_once('=').and_then(|(name, _)| Some((name, value_of(name)?)));
        value
            .map_or_else(|| format!("{line}\n"), |(name, value)| format!("{name}={}\n", shell_quoted(&value)))
    };
    template.text.lines().map(line).collect()
}

/// What lies in `boot`, with the path of the home: in a script in the line `QMAIL=`, in a unit of systemd wherever the
/// usual home stands.
pub(super) fn with_home(text: &[u8], home: &Home) -> Vec<u8> {
    let path = home.path().display().to_string();
    if !text.starts_with(b"#!") {
        return String::from_utf8_lossy(text).replace(DEFAULT_HOME, &unit_quoted(&path)).into_bytes();
    }
    let quoted = format!("QMAIL={}\n", shell_quoted(&path));
    let line =
        |line: &[u8]| if line.starts_with(b"QMAIL=") { quoted.clone().into_bytes() } else { line.to_vec() };
    text.split_inclusive(|byte| *byte == b'\n').flat_map(line).collect()
}

/// What systemd takes as it is between double quotes in a command line (systemd.service(5), "Command lines").
fn unit_quoted(path: &str) -> String {
    path.replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$")
}

/// What is missing of the services, or has another kind, owner or mode. What a file says is the administrator's.
pub(super) fn differences(home: &Home) -> Result<Vec<(PathBuf, String)>, Failure> {
    let qmaill = home.account(Role::Qmaill)?;
    let mut differences = Vec::new();
    for service in NAMES {
        let log = log_directory(home, service);
        if let Some(difference) = log_difference(&log, qmaill.uid) {
            differences.push((log, difference));
        }
    }
    let rules = ("service/smtpd/rules.cdb", None);
    let files = TEMPLATES.iter().map(|template| (template.path, Some(template.mode))).chain([rules]);
    for (name, mode) in files {
        let path = home.path().join(name);
        if let Some(difference) = file_difference(&path, mode).filter(|_| is_wanted(&path)) {
            differences.push((path, difference));
        }
    }
    Ok(differences)
}

/// Who may read a log is the administrator's decision; who writes it is not.
fn log_difference(path: &Path, owner: u32) -> Option<String> {
    match fs::metadata(path) {
        Err(error) => Some(failure::describe(&error).to_owned()),
        Ok(found) if !found.is_dir() => Some("is not a directory".to_owned()),
        Ok(found) if found.uid() != owner => Some(format!("belongs to user {}, not {owner}", found.uid())),
        Ok(_) => None,
    }
}

fn file_difference(path: &Path, mode: Option<u32>) -> Option<String> {
    match fs::metadata(path) {
        Err(error) => Some(failure::describe(&error).to_owned()),
        Ok(found) if !found.is_file() => Some("is not a regular file".to_owned()),
        // A script that nobody can run is no service.
        Ok(found) if mode.is_some_and(|mode| mode & 0o111 & !found.mode() != 0) => {
            Some(format!("has mode {:04o}, and cannot be run", found.mode() & 0o7777))
        }
        Ok(_) => None,
    }
}

/// A word that the shell takes as it is.
fn shell_quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:,".contains(&byte);
    if word.bytes().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A log directory belongs to the account that writes logs, and nobody else reads a new one.
fn make_log_directory(home: &Home, service: &str) -> Result<(), Failure> {
    let path = log_directory(home, service);
    let qmaill = home.account(Role::Qmaill)?;
    if path.is_dir() {
        if log_difference(&path, qmaill.uid).is_none() {
            return Ok(());
        }
        return std::os::unix::fs::chown(&path, Some(qmaill.uid), None)
            .map_err(|error| trouble("give to its account", &path, &error));
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| trouble("create", parent, &error))?;
    }
    let mode = log_mode(home);
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&path)
        .and_then(|()| std::os::unix::fs::lchown(&path, Some(qmaill.uid), Some(qmaill.gid)))
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)))
        .map_err(|error| trouble("make", &path, &error))
}

fn log_mode(home: &Home) -> u32 {
    if home.is_single_user() { 0o700 } else { 0o2700 }
}

fn compile_rules(home: &Home, service: &str) -> Result<(), Failure> {
    let directory = directory(home, service);
    let rules = directory.join("rules");
    if directory.join("rules.cdb").exists() || !rules.exists() {
        return Ok(());
    }
    let source = fs::File::open(&rules).map_err(|error| trouble("open", &rules, &error))?;
    let status = Command::new(home.program("tcprules"))
        .args(["rules.cdb", "rules.tmp"])
        .current_dir(&directory)
        .stdin(source)
        .status()
        .map_err(|error| trouble("compile", &rules, &error))?;
    if !status.success() {
        return Err(Failure::temporary(format!("unable to compile {}", rules.display())));
    }
    say(format!("compiled {}", rules.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_variables_of_a_script_are_filled_in() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(directory.path()).unwrap();
        let choices = [("HOST", "127.0.0.1,::1"), ("PORT", "2525")].map(|(name, value)| Choice {
            service: "smtpd",
            name,
            value: value.to_owned(),
        });
        let run = TEMPLATES.iter().find(|template| template.path == "service/smtpd/run").unwrap();
        let text = fill_in(run, &home, &choices);
        assert!(text.contains("\nHOST=127.0.0.1,::1\nPORT=2525\n"));
        assert!(text.contains(&format!("\nQMAIL={}\n", directory.path().display())));
        assert_eq!(text.lines().count(), run.text.lines().count());
        let log = TEMPLATES.iter().find(|template| template.path == "service/smtpd/log/run").unwrap();
        assert!(fill_in(log, &home, &choices).contains("/log/smtpd\n"));
        let other = TEMPLATES.iter().find(|template| template.path == "service/qmqpd/run").unwrap();
        assert!(fill_in(other, &home, &choices).contains("\nHOST=0\nPORT=628\n"));
    }

    #[test]
    fn optional_services_are_installed_down_and_what_was_removed_stays_away() {
        let directory = tempfile::tempdir().unwrap();
        let down = directory.path().join("service/qmtpd/down");
        let template = TEMPLATES.iter().find(|template| template.path == "service/qmtpd/down").unwrap();
        let run = TEMPLATES.iter().position(|template| template.path == "service/qmtpd/run");
        assert!(TEMPLATES.iter().position(|other| other.path == template.path) < run);
        for service in OPTIONAL {
            let path = format!("service/{service}/down");
            assert!(TEMPLATES.iter().any(|template| template.path == path), "{path}");
        }
        std::fs::create_dir_all(down.parent().unwrap()).unwrap();
        assert!(is_wanted(&down));
        std::fs::write(down.with_file_name("run"), "").unwrap();
        assert!(!is_wanted(&down));
        assert!(is_wanted(&down.with_file_name("rules")));
    }

    #[test]
    fn a_path_with_blanks_and_quotes_stays_one_word() {
        assert_eq!(shell_quoted("/srv/mail"), "/srv/mail");
        assert_eq!(shell_quoted("/a b/it's"), r"'/a b/it'\''s'");
        assert_eq!(unit_quoted(r#"/a b/$c/5%/"\"#), r#"/a b/$$c/5%%/\"\\"#);
    }

    #[test]
    fn what_lies_in_boot_names_the_home() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(directory.path()).unwrap();
        let path = directory.path().display();
        let script = with_home(b"#!/bin/sh\nQMAIL=/var/qmail\n# of /var/qmail\n", &home);
        let expected = format!("#!/bin/sh\nQMAIL={path}\n# of /var/qmail\n");
        assert_eq!(String::from_utf8(script).unwrap(), expected);
        let unit = with_home(b"ExecStart=svscan \"/var/qmail/service\"\n", &home);
        assert_eq!(String::from_utf8(unit).unwrap(), format!("ExecStart=svscan \"{path}/service\"\n"));
    }
}
