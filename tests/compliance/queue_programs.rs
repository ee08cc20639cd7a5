//! `qmail-qstat`, `qmail-tcpto` and `qmail-tcpok`: programs that look into the queue directory.

use harness::{Call, MailHome, Outcome, is_root};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// A home with the directories of an empty queue.
fn home() -> MailHome {
    let home = MailHome::new([]);
    let queue = home.path().join("queue");
    for part in 0..23 {
        fs::create_dir_all(queue.join(format!("mess/{part}"))).expect("a directory of the queue");
    }
    for name in ["todo", "lock"] {
        fs::create_dir(queue.join(name)).expect("a directory of the queue");
    }
    fs::write(queue.join("lock/tcpto"), [0; 1024]).expect("the table");
    home
}

/// The call by somebody who may not read what is closed to its owner.
fn as_ordinary_user(mut call: Call) -> Outcome {
    if is_root() {
        call.command().uid(65_534).gid(65_534);
    }
    call.run()
}

#[test]
fn qmail_qstat_counts_files_and_nothing_else() {
    let home = home();
    let queue = home.path().join("queue");
    let text = |messages: u32, waiting: u32| {
        format!("messages in queue: {messages}\nmessages in queue but not yet preprocessed: {waiting}\n")
    };
    let outcome = home.call("qmail-qstat").run();
    assert_eq!((outcome.code, outcome.out_text(), outcome.err_text().as_str()), (0, text(0, 0), ""));
    for name in ["mess/0/23", "mess/0/46", "mess/22/45", "todo/45"] {
        fs::write(queue.join(name), "").expect("a message");
    }
    fs::create_dir(queue.join("mess/3/directory")).expect("a directory");
    fs::create_dir(queue.join("todo/directory")).expect("a directory");
    assert_eq!(home.call("qmail-qstat").run().out_text(), text(3, 1));
}

#[test]
fn qmail_qstat_counts_no_queue_as_empty_that_it_may_not_look_into() {
    let home = home();
    let closed = home.path().join("queue/mess/4");
    home.program("qmail-qstat");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).expect("a closed directory");
    let outcome = as_ordinary_user(home.call("qmail-qstat"));
    assert_eq!((outcome.code, outcome.out_text().as_str()), (111, ""));
    assert_eq!(outcome.err_text(), "qmail-qstat: fatal: unable to read mess/4: access denied\n");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).expect("an open directory");
}

/// The table, with a record for 192.0.2.1 that is so many seconds old, and one that does not count.
fn put_records(home: &MailHome, age: u64) -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock").as_secs();
    let time = u32::try_from(now - age).expect("a time before 2106").to_le_bytes();
    let mut table = vec![0; 1024];
    table[16..32].copy_from_slice(&[&[192, 0, 2, 9, 0, 0, 0, 0][..], &time, &[0; 4]].concat());
    table[48..64].copy_from_slice(&[&[192, 0, 2, 1, 2, 0, 0, 0][..], &time, &[0; 4]].concat());
    let path = home.path().join("queue/lock/tcpto");
    fs::write(&path, table).expect("the table");
    path
}

#[test]
fn qmail_tcpto_shows_the_records_that_count_and_qmail_tcpok_clears_the_table() {
    let home = home();
    assert_eq!(home.call("qmail-tcpto").run(), Outcome { code: 0, out: vec![], err: vec![] });
    let path = put_records(&home, 340);
    let outcome = home.call("qmail-tcpto").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    let text = outcome.out_text();
    let age = text
        .strip_prefix("192.0.2.1 timed out ")
        .and_then(|rest| rest.strip_suffix(" seconds ago; # recent timeouts: 2\n"))
        .expect(&text);
    assert!(age.parse::<u64>().expect("a number") >= 340, "{text}");
    assert_eq!(home.call("qmail-tcpok").run(), Outcome { code: 0, out: vec![], err: vec![] });
    assert_eq!(fs::read(&path).expect("the table"), [0; 1024]);
}

#[test]
fn they_wait_for_whoever_has_the_table_locked() {
    let home = home();
    let path = put_records(&home, 1);
    for name in ["qmail-tcpto", "qmail-tcpok"] {
        let holder = fs::File::options().write(true).open(&path).expect("the table");
        holder.lock().expect("its lock");
        let mut running =
            harness::Running::start(home.call(name).command().stdout(std::process::Stdio::null()));
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(running.is_alive(), "{name}");
        drop(holder);
        assert_eq!(running.wait(), 0, "{name}");
    }
    assert_eq!(fs::read(&path).expect("the table"), [0; 1024]);
}

#[test]
fn trouble_with_the_table_is_said_where_it_always_was() {
    let home = home();
    let path = home.path().join("queue/lock/tcpto");
    fs::remove_file(&path).expect("the table");
    let outcome = home.call("qmail-tcpto").run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, ""));
    assert_eq!(outcome.out_text(), "fatal: unable to open tcpto: file does not exist\n");
    let outcome = home.call("qmail-tcpok").run();
    assert_eq!((outcome.code, outcome.out_text().as_str()), (111, ""));
    let message = format!("qmail-tcpok: fatal: unable to write {}: file does not exist\n", path.display());
    assert_eq!(outcome.err_text(), message);

    let directory = home.path().join("queue/lock");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o000)).expect("a closed directory");
    home.program("qmail-tcpto");
    home.program("qmail-tcpok");
    let outcome = as_ordinary_user(home.call("qmail-tcpto"));
    assert_eq!((outcome.code, outcome.out_text().as_str()), (111, "fatal: unable to chdir: access denied\n"));
    let outcome = as_ordinary_user(home.call("qmail-tcpok"));
    let message = format!("qmail-tcpok: fatal: unable to chdir to {}: access denied\n", directory.display());
    assert_eq!((outcome.code, outcome.err_text()), (111, message));
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).expect("an open directory");
}
