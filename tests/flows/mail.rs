//! Mail through the queue manager: where it goes, what is logged, and what happens when it cannot be delivered.

use harness::{HOST, Instance, messages, owner_uid, wait_until};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use unix::signal::Signal;

const MESSAGE: &[u8] = b"Subject: hi\n\nhello\n";

/// An installation whose queue manager runs.
fn running() -> Instance {
    let mut instance = Instance::new();
    instance.start();
    instance
}

/// `NAME@HOST`.
fn at(name: &str) -> String {
    format!("{name}@{HOST}")
}

fn send(instance: &Instance, sender: &str, recipients: &[&str]) {
    assert_eq!(instance.enqueue(sender, recipients, MESSAGE), 0);
}

/// The only message in a maildir.
fn message(maildir: &Path) -> String {
    let messages = messages(maildir);
    let [message] = messages.as_slice() else { panic!("one message: {messages:#?}") };
    message.clone()
}

/// A log in which each number that differs from run to run is `N`.
fn without_numbers(log: &str) -> String {
    let mut previous = "";
    let mut words = Vec::new();
    for word in log.split_inclusive([' ', '\n']) {
        let digits = word.trim_start_matches(|byte: char| byte.is_ascii_digit());
        let varies = ["msg", "bytes", "qp", "uid"].contains(&previous.trim_end());
        words.push(if varies && digits != word { format!("N{digits}") } else { word.to_owned() });
        previous = word;
    }
    words.concat()
}

/// A message with the parts of its header that differ from run to run taken out.
fn without_dates(message: &str) -> String {
    let fixed = |line: &str| {
        let (name, _) = line.split_once(' ').unwrap_or((line, ""));
        let varies = name == "Date:" || name == "Received:";
        if varies { format!("{name} …\n") } else { format!("{line}\n") }
    };
    message.lines().map(fixed).collect()
}

#[test]
fn a_message_is_delivered_and_each_step_is_logged() {
    let mut instance = running();
    let maildir = instance.mailbox("joe");
    send(&instance, "sender@src.example", &[&at("joe")]);
    instance.wait_until_delivered();
    instance.wait_for_log("end msg");
    instance.stop();
    let expected = "status: local 0/10 remote 0/20\n\
        new msg N\n\
        info msg N: bytes N from <sender@src.example> qp N uid N\n\
        starting delivery 1: msg N to local joe@mail.example.org\n\
        status: local 1/10 remote 0/20\n\
        delivery 1: success: did_1+0+0/\n\
        status: local 0/10 remote 0/20\n\
        end msg N\n\
        status: exiting\n";
    assert_eq!(without_numbers(&instance.log()), expected);
    assert!(instance.log().contains(&format!(" uid {}\n", owner_uid())));
    let text = message(&maildir);
    let expected = "Return-Path: <sender@src.example>\nDelivered-To: joe@mail.example.org\n\
        Received: …\nSubject: hi\n\nhello\n";
    assert_eq!(without_dates(&text), expected);
    assert!(instance.log().contains(&format!(
        "bytes {} ",
        text.len() - "Return-Path: <sender@src.example>\nDelivered-To: joe@mail.example.org\n".len()
    )));
}

#[test]
fn recipients_go_where_the_control_files_send_them() {
    let mut instance = Instance::new();
    let (joe, rest, list) = (instance.mailbox("joe"), instance.mailbox("rest"), instance.mailbox("list"));
    instance.alias("default", "./rest/\n");
    instance.alias("virt-default", "./list/\n");
    instance.write("control/percenthack", "hack.example\n");
    instance.write("control/concurrencyremote", "0\n");
    instance.start();

    send(&instance, "s@src.example", &["joe", "JOE@Mail.Example.ORG", "joe%mail.example.org@hack.example"]);
    send(&instance, "s@src.example", &[&at("no-such.User")]);
    instance.wait_until_delivered();
    assert_eq!(messages(&joe).len(), 3);
    assert!(message(&rest).contains("\nDelivered-To: no-such.User@mail.example.org\n"));

    send(&instance, "s@src.example", &["a@virtual.example"]);
    instance.wait_for_log("from <s@src.example>");
    wait_until("the remote recipient waits", || {
        instance.queue().iter().any(|name| name.starts_with("remote/"))
    });
    instance.write("control/virtualdomains", "virtual.example:virt\n");
    instance.write("control/locals", format!("{HOST}\nlate.example\n"));
    instance.signal(Signal::SIGHUP);
    // The signal is taken before any new mail is.
    send(&instance, "s@src.example", &["b@virtual.example", "joe@late.example"]);
    wait_until("mail for the virtual domain", || messages(&list).len() == 1 && messages(&joe).len() == 4);
    assert!(message(&list).contains("\nDelivered-To: virt-b@virtual.example\n"));
    // What was sorted before goes on as it was sorted.
    assert_eq!(instance.queue().iter().filter(|name| name.starts_with("remote/")).count(), 1);
    instance.stop();
}

#[test]
fn an_assigned_address_belongs_to_its_user() {
    let mut instance = Instance::new();
    instance.mailbox("box");
    let (home, uid) = (instance.path("alias"), owner_uid());
    let text = format!("=first.last:any:{uid}:{uid}:{}:-:box:\n.\n", home.display());
    instance.write("users/assign", text);
    assert_eq!(instance.call("qmail-newu").run().code, 0);
    instance.start();
    send(&instance, "s@src.example", &[&at("First.Last")]);
    instance.wait_until_delivered();
    assert!(message(&home.join("box")).contains("\nDelivered-To: First.Last@mail.example.org\n"));
    instance.stop();
}

#[test]
fn a_failure_is_reported_to_the_sender_and_a_failed_bounce_to_the_postmaster() {
    let mut instance = Instance::new();
    let joe = instance.mailbox("joe");
    instance.write("control/bouncefrom", "the daemon\n");
    instance.start();
    let (gone, also) = (at("gone"), at("also.gone"));
    send(&instance, &at("joe"), &[&gone, &at("joe"), &also]);
    instance.wait_until_delivered();
    let bounce = messages(&joe).into_iter().find(|text| text.contains("failure notice")).expect("a bounce");
    let expected = "Return-Path: <>\nDelivered-To: joe@mail.example.org\n\
        Received: …\nDate: …\nFrom: \"the daemon\"@mail.example.org\nTo: joe@mail.example.org\n\
        Subject: failure notice\n\nHi. This is the qmail-send program at mail.example.org.\n\
        I'm afraid I wasn't able to deliver your message to the following addresses.\n\
        This is a permanent error; I've given up. Sorry it didn't work out.\n\n\
        <gone@mail.example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n\
        <also.gone@mail.example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n\
        --- Below this line is a copy of the message.\n\n\
        Return-Path: <joe@mail.example.org>\nReceived: …\nSubject: hi\n\nhello\n";
    let (first, second) = ("<gone@mail", "<also.gone@mail");
    let sorted = if bounce.find(first) < bounce.find(second) {
        without_dates(&bounce)
    } else {
        // Two deliveries end in any order.
        without_dates(&bounce)
            .replacen(second, "<X@mail", 1)
            .replacen(first, second, 1)
            .replacen("<X@mail", first, 1)
    };
    assert_eq!(sorted, expected);
    let log = without_numbers(&instance.log());
    let failure = "failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/\n";
    assert_eq!(log.matches(failure).count(), 2);
    assert!(
        log.contains("bounce msg N qp N\nend msg N\nnew msg N\ninfo msg N: bytes N from <> qp N uid N\n"),
        "{log}"
    );

    instance.clear_log();
    send(&instance, &at("nobody"), &[&gone]);
    let postmaster = instance.path("alias/Maildir");
    instance.wait_until_delivered();
    let double = message(&postmaster);
    let start = "Return-Path: <#@[]>\nDelivered-To: postmaster@mail.example.org\nReceived: …\nDate: …\n\
        From: \"the daemon\"@mail.example.org\nTo: postmaster@mail.example.org\nSubject: failure notice\n\n\
        Hi. This is the qmail-send program at mail.example.org.\n\
        I tried to deliver a bounce message to this address, but the bounce bounced!\n\n\
        <nobody@mail.example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n\
        --- Below this line is the original bounce.\n\nReturn-Path: <>\nReceived: …\nDate: …\n";
    assert!(without_dates(&double).starts_with(start), "{double}");
    assert!(double.contains("<gone@mail.example.org>:\n") && double.ends_with("\n\nhello\n"), "{double}");
    instance.stop();
}

#[test]
fn a_double_bounce_that_fails_is_discarded() {
    let mut instance = Instance::new();
    instance.write("control/doublebounceto", "nobody-either\n");
    instance.write("control/doublebouncehost", format!("{HOST}\n"));
    instance.start();
    send(&instance, &at("nobody"), &[&at("gone")]);
    instance.wait_until_delivered();
    instance.wait_for_log("triple bounce: discarding bounce/");
    assert_eq!(instance.log().matches("bounce msg ").count(), 2);
    assert!(instance.log().contains("from <#@[]>"));
    instance.stop();
}

/// B3
#[test]
fn b3_a_thousand_poisoned_senders_make_a_thousand_bounces_and_a_thousand_double_bounces() {
    let mut instance = Instance::in_memory();
    instance.start();
    for number in 0..1000 {
        send(&instance, &at(&format!("poison{number}")), &[&at("gone")]);
    }
    // However slow the machine is, it goes on until the last.
    let ended = || instance.log().matches("\nend msg ").count();
    while let before @ 0..3000 = ended() {
        let goes_on = harness::settles(|| ended() > before);
        assert!(goes_on, "it stopped at {before}: {:?}\n{}", instance.queue(), instance.log());
    }
    instance.wait_until_delivered();
    assert_eq!((ended(), instance.log().matches("\nbounce msg ").count()), (3000, 2000));
    assert_eq!(messages(&instance.path("alias/Maildir")).len(), 1000);
    instance.stop();
}

/// L5: a delivery knows nothing of whoever started the service.
#[test]
fn l5_programs_run_from_dot_qmail_get_a_minimal_environment() {
    let instance = Instance::new();
    let told = instance.path("alias/told");
    instance.alias("teller", "|env >told.new && mv told.new told\n");
    let mut service = instance.command(&instance.path("service/qmail/run"));
    let odd = [("SECRET", "x"), ("LD_LIBRARY_PATH", "/tmp"), ("IFS", "x"), ("BASH_FUNC_x%%", "() { :; }")];
    service.envs(odd).current_dir(instance.path("service/qmail"));
    let log = fs::File::create(instance.beside("service.log")).expect("a log");
    service.stdin(std::process::Stdio::null()).stdout(log.try_clone().expect("the log")).stderr(log);
    let mut running = harness::Running::start(&mut service);
    send(&instance, "() { :;}@src.example", &[&at("teller")]);
    wait_until("the program has run", || told.exists());
    let mut names: Vec<String> = fs::read_to_string(&told)
        .expect("its environment")
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0.to_owned()))
        .collect();
    names.sort();
    let expected = [
        "DTLINE",
        "EXT",
        "EXT2",
        "EXT3",
        "EXT4",
        "HOME",
        "HOST",
        "HOST2",
        "HOST3",
        "HOST4",
        "LOCAL",
        "NEWSENDER",
        "PATH",
        "PWD",
        "RECIPIENT",
        "RPLINE",
        "SENDER",
        "UFLINE",
        "USER",
    ];
    // The shell itself sets these.
    names.retain(|name| !["_", "OLDPWD", "SHLVL"].contains(&name.as_str()));
    assert_eq!(names, expected);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(), 0);
}

/// B5
#[test]
fn b5_an_address_without_local_part_bounces() {
    let mut instance = running();
    let joe = instance.mailbox("joe");
    send(&instance, &at("joe"), &[&at("")]);
    instance.wait_until_delivered();
    let bounce = message(&joe);
    let reason = "\n\n<@mail.example.org>:\nSorry, address must include a user name. (#5.1.3)\n\n";
    assert!(bounce.contains(reason), "{bounce}");
    instance.stop();
}

#[test]
fn each_recipient_of_a_list_has_a_sender_of_its_own_and_bounces_go_to_the_owner() {
    let mut instance = running();
    let (a, b, owner) = (instance.mailbox("a"), instance.mailbox("b"), instance.mailbox("list-"));
    send(&instance, &format!("{}-@[]", at("list-")), &[&at("a"), &at("b"), &at("gone")]);
    instance.wait_until_delivered();
    assert!(message(&a).starts_with("Return-Path: <list-a=mail.example.org@mail.example.org>\n"));
    assert!(message(&b).starts_with("Return-Path: <list-b=mail.example.org@mail.example.org>\n"));
    let bounce = message(&owner);
    assert!(bounce.contains("\nTo: list-@mail.example.org\n"), "{bounce}");
    assert!(bounce.contains("\n\nReturn-Path: <list-@mail.example.org>\n"), "{bounce}");
    instance.stop();
}

#[test]
fn a_deferred_message_waits_and_alrm_makes_it_due() {
    let mut instance = running();
    let maildir = instance.mailbox("joe");
    instance.alias("joe", "|echo not yet; exit 111\n");
    send(&instance, "s@src.example", &[&at("joe")]);
    instance.wait_for_log("delivery 1: deferral: not_yet/\n");
    instance.signal(Signal::SIGALRM);
    instance.wait_for_log("delivery 2: deferral: not_yet/\n");
    instance.stop();

    let queue = instance.queue();
    let file = |kind: &str| {
        let name = queue.iter().find(|name| name.starts_with(kind)).expect("its file");
        fs::metadata(instance.path("queue").join(name)).expect("its metadata")
    };
    let (info, local) = (file("info/"), file("local/"));
    let wait = local.mtime() - info.mtime();
    // (10 + the square root of its age at the attempt)², saved when the queue manager ended. Two clocks tell
    // whole seconds, which do not begin together.
    let is_square = |number: i64| number >= 100 && number.isqrt().pow(2) == number;
    assert!((wait - 1..=wait + 1).any(is_square), "due {wait} s after its birth");
    assert_eq!((local.atime(), local.mtime_nsec()), (local.mtime(), 0));

    instance.alias("joe", "./joe/\n");
    instance.start();
    assert!(messages(&maildir).is_empty(), "it is not due yet");
    instance.signal(Signal::SIGALRM);
    instance.wait_until_delivered();
    assert_eq!(messages(&maildir).len(), 1);
    instance.stop();
}

#[test]
fn a_message_that_is_too_old_is_given_up_and_its_sender_is_told() {
    let mut instance = Instance::new();
    let joe = instance.mailbox("joe");
    instance.alias("slow", "|echo busy; exit 111\n");
    instance.write("control/queuelifetime", "0\n");
    instance.start();
    send(&instance, &at("joe"), &[&at("slow")]);
    instance.wait_for_log("delivery 1: deferral: busy/\n");
    wait_until("a last attempt", || {
        // Its age is counted in whole seconds.
        instance.signal(Signal::SIGALRM);
        instance.log().contains(
            ": failure: busy/I'm_not_going_to_try_again;_this_message_has_been_in_the_queue_too_long./\n",
        )
    });
    instance.wait_until_delivered();
    let bounce = message(&joe);
    let reason = "\n\n<slow@mail.example.org>:\nbusy\n\
        I'm not going to try again; this message has been in the queue too long.\n\n";
    assert!(bounce.contains(reason), "{bounce}");
    instance.stop();
}

#[test]
fn a_channel_without_concurrency_holds_its_mail() {
    let mut instance = Instance::new();
    let maildir = instance.mailbox("joe");
    instance.write("control/concurrencylocal", "0\n");
    instance.start();
    send(&instance, "s@src.example", &[&at("joe")]);
    send(&instance, "s@src.example", &[]);
    // The second has nothing to wait for: it ends, and the first has been looked at before.
    instance.wait_for_log("end msg ");
    instance.signal(Signal::SIGALRM);
    instance.stop();
    assert!(!instance.log().contains("starting delivery"), "{}", instance.log());
    assert!(instance.log().starts_with("status: local 0/0 remote 0/20\n"));
    let kinds: Vec<String> =
        instance.queue().iter().map(|name| name.split('/').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(kinds, ["info", "local", "mess"]);
    instance.write("control/concurrencylocal", "200\n");
    instance.start();
    instance.wait_until_delivered();
    assert_eq!(messages(&maildir).len(), 1);
    instance.wait_for_log("status: local 1/120 remote 0/20\n");
    instance.stop();
}

#[test]
fn a_message_without_recipients_is_logged_and_gone() {
    let mut instance = running();
    send(&instance, "s@src.example", &[]);
    instance.wait_for_log("end msg ");
    instance.wait_until_delivered();
    instance.stop();
    let expected = "status: local 0/10 remote 0/20\nnew msg N\n\
        info msg N: bytes N from <s@src.example> qp N uid N\nend msg N\nstatus: exiting\n";
    assert_eq!(without_numbers(&instance.log()), expected);
}

#[test]
fn term_lets_the_running_delivery_finish_and_begins_no_other() {
    let mut instance = running();
    let (gate, maildir) = (instance.path("alias/gate"), instance.mailbox("joe"));
    unix::fifo::make(&gate).expect("a gate");
    std::os::unix::fs::chown(&gate, Some(owner_uid()), None).expect("its owner");
    instance.alias("gated", "|cat gate\n");
    send(&instance, "s@src.example", &[&at("gated")]);
    instance.wait_for_log("starting delivery 1: ");
    instance.signal(Signal::SIGTERM);
    // Whether the signal was taken shows in no file; that no new mail is taken after it does.
    wait_until("new mail is not taken in any more", || {
        send(&instance, "s@src.example", &[&at("joe")]);
        fs::read_dir(instance.path("queue/todo")).expect("todo").count() > 0
    });
    fs::write(&gate, "through\n").expect("an open gate");
    instance.wait_for_log("status: exiting\n");
    let log = without_numbers(&instance.log());
    let end = "delivery 1: success: through/did_0+0+1/\nstatus: local 0/10 remote 0/20 exitasap\nend msg N\nstatus: exiting\n";
    assert!(log.ends_with(end), "{log}");
    instance.stop();
    instance.start();
    instance.wait_until_delivered();
    assert!(!messages(&maildir).is_empty());
    instance.stop();
}

#[test]
fn deliveries_on_both_channels_are_started_in_turns() {
    let mut instance = Instance::new();
    instance.mailbox("joe");
    instance.write("control/smtproutes", ":127.0.0.1:1\n");
    instance.start();
    let joe = at("joe");
    send(&instance, "s@src.example", &[&joe, &joe, &joe, "a@far.example", "b@far.example"]);
    instance.wait_for_log("starting delivery 5: ");
    let log = instance.log();
    let started = log.lines().filter(|line| line.starts_with("starting delivery "));
    let recipients: Vec<&str> =
        started.filter_map(|line| line.split_once(" to ")).map(|(_, to)| to).collect();
    let local = "local joe@mail.example.org";
    assert_eq!(recipients, [local, "remote a@far.example", local, "remote b@far.example", local]);
    instance.stop();
}

#[test]
fn the_loss_of_each_spawner_is_said_and_ends_the_queue_manager() {
    let mut instance = running();
    // Both are gone before qmail-send can notice the first.
    instance.signal(Signal::SIGSTOP);
    for helper in ["qmail-lspawn", "qmail-rspawn"] {
        assert!(instance.kill(helper));
        wait_until("it is gone", || instance.pid_of(helper).is_none());
    }
    instance.signal(Signal::SIGCONT);
    instance.wait_for_log("status: exiting\n");
    let log = instance.log();
    let lost = "alert: oh no! lost spawn connection! dying...\n";
    assert!(log.ends_with(&format!("{lost}{lost}status: exiting\n")), "{log}");
    instance.stop();
}

#[test]
fn three_hundred_messages_at_once_are_each_delivered_once() {
    let mut instance = running();
    let maildir = instance.mailbox("joe");
    std::thread::scope(|scope| {
        for part in 0..6 {
            let instance = &instance;
            scope.spawn(move || {
                for number in 0..50 {
                    let text = format!("Subject: {}\n\nbody\n", part * 50 + number);
                    assert_eq!(instance.enqueue("s@src.example", &[&at("joe")], text), 0);
                }
            });
        }
    });
    instance.wait_until_delivered();
    let mut subjects: Vec<usize> = messages(&maildir)
        .iter()
        .map(|text| {
            text.split("\nSubject: ")
                .nth(1)
                .and_then(|rest| rest.strip_suffix("\n\nbody\n"))
                .expect("a whole message")
                .parse()
                .expect("its number")
        })
        .collect();
    subjects.sort_unstable();
    assert_eq!(subjects, (0..300).collect::<Vec<usize>>());
    instance.stop();
}

#[test]
fn a_second_queue_manager_says_that_one_runs() {
    let mut instance = running();
    let second = instance.call("qmail-start").run();
    assert_eq!(second.out_text(), "alert: cannot start: qmail-send is already running\n");
    assert_eq!(second.code, 111);
    instance.stop();
}
