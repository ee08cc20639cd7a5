//! What each program that keeps services running, or starts them, says to options that it does not know.

use harness::{Call, scratch};

#[test]
fn an_unknown_option_is_answered_with_the_usage_and_status_100() {
    let softlimit = "softlimit [-a allbytes] [-c corebytes] [-d databytes] [-f filebytes] [-l lockbytes] \
                     [-m membytes] [-o openfiles] [-p processes] [-r residentbytes] [-s stackbytes] \
                     [-t cpusecs] child";
    for (name, usage) in [
        ("supervise", "supervise [ -rsudox5 ] dir program args ..."),
        ("svc", "svc [ --signal name | -udorspchaitkx ] dir ..."),
        ("svwait", "svwait [ -udr ] [ -t seconds ] dir ..."),
        ("setlock", "setlock [ -nNxX ] file program [ arg ... ]"),
        ("softlimit", softlimit),
    ] {
        for option in ["-q", "-qd", "--unknown"] {
            let scratch = scratch();
            let outcome = Call::ours(name).args([option, "one", "true"]).within(scratch.path()).run();
            let letter = if option.starts_with("--") { '-' } else { 'q' };
            let expected = format!("{name}: illegal option -- {letter}\n{name}: usage: {usage}\n");
            assert_eq!((outcome.code, outcome.err_text()), (100, expected), "{name} {option}");
            assert!(std::fs::read_dir(scratch.path()).expect("a directory").next().is_none());
        }
    }
}

/// Their first argument is a name, whatever it begins with, as it always was.
#[test]
fn programs_without_options_take_a_word_with_a_dash_for_a_name() {
    for (name, code, err) in [
        ("envdir", 111, "envdir: fatal: unable to switch to directory -q: file does not exist\n"),
        ("envuidgid", 111, "envuidgid: fatal: unknown account -q\n"),
        ("fghack", 111, "fghack: fatal: unable to run -q: file does not exist\n"),
        ("pgrphack", 111, "pgrphack: fatal: unable to run -q: file does not exist\n"),
        ("setuidgid", 111, "setuidgid: fatal: unknown account -q\n"),
        ("setuser", 111, "setuser: fatal: unknown username -q\n"),
        ("svok", 111, "svok: fatal: unable to chdir to -q: file does not exist\n"),
        ("svscan", 111, "svscan: fatal: unable to chdir to -q: file does not exist\n"),
        ("svstat", 0, "svstat: warning: unable to chdir to -q: file does not exist\n"),
    ] {
        let scratch = scratch();
        let arguments: &[&str] = if name == "svstat" { &["-q"] } else { &["-q", "true"] };
        let outcome = Call::ours(name).args(arguments).within(scratch.path()).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (code, err), "{name}");
    }
}
