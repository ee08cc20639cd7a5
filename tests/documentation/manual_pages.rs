//! Manual pages against the real programs: which options there are is asked of the programs, not of their source.
//!
//! A program is called with each letter and each long word, and with one that no program has. If it answers the
//! same to both, it does not know the letter.

use harness::{Call, MailHome, Outcome, program_names, script_names, skipped, source_tree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// No program has this option.
const NO_LETTER: &str = "-%";
/// No program has this word.
const NO_WORD: &str = "--no-such-option";
/// What has to follow an option so that a program gets so far as to tell it from others.
const OPERANDS: &[(&str, &[&str])] =
    &[("cyclog-read", &["no-such-directory"]), ("svc", &["no-such-directory"])];
/// What has to go before an option, since options come after it.
const VERBS: &[(&str, &str)] = &[("qmail-queuectl", "list")];
/// These say nothing about a wrong call but what is wrong, like the original.
const WITHOUT_USAGE: &[&str] = &["qmail-inject"];
/// Programs that exit otherwise than with 100 when they are called wrongly, as their pages say.
const WRONG_CALLS: &[(&str, i32)] = &[("qsmhook", 111)];
/// Passes over every option that it does not know, like the original: its answers tell nothing.
const SILENT: &[&str] = &["tcp-env"];
/// Sendmail's options that are passed over are in the page's list, and neither in its synopsis nor in the usage.
const PASSED_OVER: &[(&str, &str)] = &[("sendmail", "vimepoBEJxNRVO")];

/// Pages that we refer to and that are not ours.
const OF_THE_SYSTEM: &[&str] = &[
    "Mail.1",
    "alpine.1",
    "crypt.3",
    "elm.1",
    "flock.2",
    "groupadd.8",
    "inetd.conf.5",
    "mail.1",
    "passwd.5",
    "pine.1",
    "ps.1",
    "useradd.8",
    "wait.2",
];

/// The options of a program: letters, and words with their dashes.
type Names = BTreeSet<String>;

/// A program in a home of its own, where it finds none of the others.
struct Subject {
    name: String,
    home: MailHome,
    program: PathBuf,
}

impl Subject {
    fn new(name: &str) -> Subject {
        let home = MailHome::new([]);
        let program = home.program(name);
        Subject { name: name.to_owned(), home, program }
    }

    /// Calls it with one argument. It cannot do harm: there is nothing to read, /proc takes no files, no program is
    /// found, and what would go on for ever is ended, which fails the test.
    fn answer(&self, argument: &str) -> Outcome {
        let operands =
            OPERANDS.iter().find(|(name, _)| *name == self.name).map_or(&[][..], |(_, words)| words);
        let verb = VERBS.iter().find(|(name, _)| *name == self.name).map(|(_, verb)| *verb);
        let call = Call::path(Path::new("/usr/bin/timeout")).arg("60").arg(&self.program);
        let call = call.args(verb).arg(argument);
        let call = call.args(operands).within(Path::new("/proc")).env_clear();
        let outcome = call.env("PATH", self.home.path()).env("QMAILQUEUE", "/bin/false").run();
        assert_ne!(outcome.code, 124, "{} {argument} goes on for ever", self.name);
        outcome
    }

    /// The letters that it knows, and those of them that take an argument.
    fn letters(&self) -> (Names, Names) {
        let strange = self.said(&self.answer(NO_LETTER), NO_LETTER);
        let (mut known, mut with_argument) = (Names::new(), Names::new());
        for letter in self.letters_to_ask().map(String::from) {
            let outcome = self.answer(&format!("-{letter}"));
            if outcome.err_text().contains(&format!("option requires an argument -- {letter}")) {
                with_argument.insert(letter.clone());
            }
            if self.said(&outcome, &format!("-{letter}")) != strange {
                known.insert(letter);
            }
        }
        (known, with_argument)
    }

    /// Letters and figures; and other signs, if it reads letters at all and so complains of a strange one.
    fn letters_to_ask(&self) -> impl Iterator<Item = char> {
        let complains = self.answer(NO_LETTER).err_text().contains("illegal option");
        let signs = (complains.then_some(b'!'..=b'~')).into_iter().flatten().filter(u8::is_ascii_punctuation);
        let signs = signs.map(char::from).filter(|sign| !['-', ':', '%'].contains(sign));
        ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(signs)
    }

    /// The words among these that it knows.
    fn words(&self, words: &Names) -> Names {
        let strange = self.said(&self.answer(NO_WORD), NO_WORD);
        let is_known = |word: &&String| self.said(&self.answer(word), word) != strange;
        words.iter().filter(is_known).cloned().collect()
    }

    /// What does not depend on which option it was: exit status, standard output, standard error.
    fn said(&self, outcome: &Outcome, option: &str) -> (i32, [Vec<String>; 2]) {
        (outcome.code, [&outcome.out, &outcome.err].map(|text| general(text, option, self.home.path())))
    }
}

/// What a program said, without the option that it was given and without its process number.
fn general(text: &[u8], option: &str, home: &Path) -> Vec<String> {
    let text = String::from_utf8_lossy(text).replace(&home.display().to_string(), "HOME");
    // recordio may or may not live to see the end of its input.
    let lines = text.lines().filter(|line| !line.ends_with("[EOF]"));
    let complaint = format!("-- {}", option.trim_start_matches('-'));
    let is_pid = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_digit());
    let word = |word: &str| match word {
        _ if word == option => "OPTION".to_owned(),
        _ if is_pid(word) => "NUMBER".to_owned(),
        _ => word.to_owned(),
    };
    let line = |line: &str| match line.strip_suffix(&complaint) {
        Some(start) => vec![start.to_owned()],
        None if line.contains(": usage: ") => vec![line.to_owned()],
        None => line.split([' ', '/', ':', '\'', '"', '\0']).map(word).collect(),
    };
    lines.flat_map(line).collect()
}

/// A manual page, and what it says about options.
struct Page {
    /// The options in the synopsis.
    synopsis: Names,
    /// Those that a list explains.
    explained: Names,
    /// All that are named somewhere.
    named: Names,
    /// Long words that are explained beside a letter, which stands for them elsewhere.
    aliases: Names,
}

impl Page {
    /// Reads the page of a program, of whose letters these take an argument.
    fn read(name: &str, with_argument: &Names) -> Page {
        let text = fs::read_to_string(path_of(name).expect("a manual page")).expect("a page of UTF-8");
        let mut page = Page {
            synopsis: Names::new(),
            explained: Names::new(),
            named: Names::new(),
            aliases: Names::new(),
        };
        let mut section = "";
        for line in text.lines() {
            if let Some(title) = line.strip_prefix(".Sh ") {
                section = title;
            }
            let options = options_of(line, with_argument);
            match section {
                "SYNOPSIS" => page.synopsis.extend(options.iter().cloned()),
                _ if line.starts_with(".It ") => {
                    let (words, letters): (Names, Names) =
                        options.iter().cloned().partition(|option| option.starts_with("--"));
                    if !letters.is_empty() {
                        page.aliases.extend(words);
                    }
                    page.explained.extend(options.iter().cloned());
                }
                _ => {}
            }
            page.named.extend(options);
        }
        page
    }
}

/// The options after `Fl` in a line of mdoc.
fn options_of(line: &str, with_argument: &Names) -> Names {
    let mut options = Names::new();
    let mut is_flag = false;
    for word in line.strip_prefix('.').unwrap_or_default().split(' ') {
        match word {
            "Fl" => is_flag = true,
            "Ar" | "Ns" | "Op" | "Li" => is_flag = false,
            "," | ";" | "|" | "." | "\\-" => {}
            _ if is_flag => options.extend(flags_of(word.strip_prefix("\\&").unwrap_or(word), with_argument)),
            _ => {}
        }
    }
    options
}

/// What follows one dash: a word with a second dash, letters, or a letter with its argument.
fn flags_of(text: &str, with_argument: &Names) -> Names {
    let first: String = text.chars().take(1).collect();
    if text.starts_with('-') {
        Names::from([format!("-{text}")])
    } else if with_argument.contains(&first) {
        Names::from([first])
    } else {
        text.chars().map(String::from).collect()
    }
}

/// The options that a usage line names: ` -abc `, `[-a bytes]`, `-ssize`, `--word`.
fn options_in_usage(usage: &str, with_argument: &Names) -> Names {
    let words = usage.split([' ', '[', ']', '|']);
    words.filter_map(|word| word.strip_prefix('-')).flat_map(|flags| flags_of(flags, with_argument)).collect()
}

/// The page of a program, in whichever section.
fn path_of(name: &str) -> Option<PathBuf> {
    ["1", "8"]
        .map(|section| pages().join(format!("{name}.{section}")))
        .into_iter()
        .find(|path| path.is_file())
}

fn pages() -> PathBuf {
    source_tree().join("docs/man")
}

fn all_pages() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(pages()).expect("docs/man").map(|entry| entry.expect("a page").path()).collect();
    paths.sort();
    paths
}

/// Long words that stand in a page of ours or, as a literal, in a source file.
fn words_of_the_suite() -> Names {
    let mut words = Names::new();
    for path in all_pages() {
        let text = fs::read_to_string(path).expect("a page of UTF-8");
        words.extend(text.lines().flat_map(|line| options_of(line, &Names::new())));
    }
    for part in ["mta", "supervise", "tcpserver", "cyclog"] {
        collect_words(&source_tree().join(part).join("src"), &mut words);
    }
    words.retain(|word| word.starts_with("--") && word != NO_WORD);
    words
}

/// Adds what stands in `"--word"` and `Long("word")`.
fn collect_words(directory: &Path, words: &mut Names) {
    for entry in fs::read_dir(directory).expect("a directory of source files") {
        let path = entry.expect("a source file").path();
        if path.is_dir() {
            collect_words(&path, words);
            continue;
        }
        let text = fs::read_to_string(path).expect("a source file of UTF-8");
        for start in ["\"--", "Long(\""] {
            let names = text.split(start).skip(1);
            let names = names.filter_map(|rest| rest.split_once('"')).map(|(name, _)| format!("--{name}"));
            words.extend(names.filter(|name| !name.contains(' ') && name.len() > 2));
        }
    }
}

/// What a program takes.
struct Taken {
    /// Its options, but those that it passes over.
    options: Names,
    passed_over: Names,
    /// The letters among them that take an argument.
    with_argument: Names,
}

/// What each program takes; found out once, by as many threads as there are processors.
fn taken() -> &'static BTreeMap<String, Taken> {
    static TAKEN: OnceLock<BTreeMap<String, Taken>> = OnceLock::new();
    TAKEN.get_or_init(|| {
        let words = words_of_the_suite();
        let programs = Mutex::new(program_names().into_iter());
        let taken = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| {
                    loop {
                        let Some(name) = programs.lock().expect("the programs").next() else { return };
                        let found = Taken::by(&name, &words);
                        taken.lock().expect("what is taken").insert(name, found);
                    }
                });
            }
        });
        taken.into_inner().expect("what is taken")
    })
}

impl Taken {
    fn by(name: &str, words: &Names) -> Taken {
        let subject = Subject::new(name);
        let (mut options, with_argument) = subject.letters();
        options.extend(subject.words(words));
        let letters =
            PASSED_OVER.iter().find(|(program, _)| *program == name).map_or("", |(_, letters)| letters);
        let passed_over: Names = letters.chars().map(String::from).collect();
        assert!(passed_over.is_subset(&options), "{name} does not take {passed_over:?}");
        options.retain(|option| !passed_over.contains(option));
        Taken { options, passed_over, with_argument }
    }

    /// Whether it knows a letter, and so complains of one that it does not know.
    fn has_letters(&self) -> bool {
        self.options.iter().any(|option| !option.starts_with("--"))
    }
}

#[test]
fn each_page_has_the_options_of_its_program_and_no_others() {
    let (mut complaints, mut count) = (Vec::new(), 0);
    for (name, taken) in taken().iter().filter(|(name, _)| !SILENT.contains(&name.as_str())) {
        let page = Page::read(name, &taken.with_argument);
        let all: Names = taken.options.union(&taken.passed_over).cloned().collect();
        count += all.len();
        let by_letter: Names = taken.options.difference(&page.aliases).cloned().collect();
        for (what, found, wanted) in [
            ("synopsis", &page.synopsis, &by_letter),
            ("lists", &page.explained, &all),
            ("text", &page.named, &all),
        ] {
            if found != wanted {
                complaints.push(format!("{name}: {what} with {found:?}, taken are {wanted:?}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    // Had nothing been asked, nothing would differ.
    assert!(count > 100, "only {count} options");
}

#[test]
fn a_strange_option_is_answered_with_a_usage_line_that_names_the_options() {
    let mut complaints = Vec::new();
    for (name, taken) in taken().iter().filter(|(_, taken)| taken.has_letters()) {
        let outcome = Subject::new(name).answer(NO_LETTER);
        let errors = outcome.err_text();
        let code = WRONG_CALLS.iter().find(|(program, _)| program == name).map_or(100, |(_, code)| *code);
        assert_eq!((outcome.code, outcome.out_text().as_str()), (code, ""), "{name}: {errors}");
        if WITHOUT_USAGE.contains(&name.as_str()) {
            assert_eq!(errors, format!("{name}: illegal option -- %\n"));
            continue;
        }
        let start = format!("{name}: usage: {name} ");
        let usage = errors.lines().find_map(|line| line.strip_prefix(&start));
        let named =
            options_in_usage(usage.unwrap_or_else(|| panic!("{name}: {errors}")), &taken.with_argument);
        let aliases = Page::read(name, &taken.with_argument).aliases;
        let by_letter = |options: &Names| options.difference(&aliases).cloned().collect::<Names>();
        let (named, wanted) = (by_letter(&named), by_letter(&taken.options));
        if named != wanted {
            complaints.push(format!("{name}: the usage names {named:?}, taken are {wanted:?}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_program_has_a_page_of_its_name_and_a_place_in_the_readme() {
    let readme = fs::read_to_string(source_tree().join("README.md")).expect("the readme");
    let (_, table) = readme.split_once("\n## Programs\n").expect("the table of programs");
    let table = table.split("\n## ").next().unwrap_or_default();
    // The second column of each row that has one of `name`s.
    let listed: Names = table
        .lines()
        .filter_map(|row| row.split('|').nth(2))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned))
        .collect();
    let programs: Names = program_names().union(&script_names()).cloned().collect();
    assert_eq!(listed, programs, "the table of programs in README.md");
    for name in &programs {
        let path = path_of(name).unwrap_or_else(|| panic!("{name} has no manual page"));
        let text = fs::read_to_string(&path).expect("a page of UTF-8");
        let is_named =
            |line: &str| line.strip_prefix(".Nm ").is_some_and(|rest| rest.trim_end_matches(" ,") == name);
        assert!(text.lines().any(is_named), "{} does not name {name}", path.display());
    }
}

#[test]
fn every_page_is_formatted_without_a_word_of_complaint() {
    let Some(man) = harness::installed("man") else { return skipped("man is not installed") };
    for page in all_pages() {
        let call = Call::path(&man).args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]).arg(&page);
        let outcome = call.run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{}", page.display());
        assert!(!outcome.out.is_empty(), "{}", page.display());
    }
}

#[test]
fn every_page_that_is_referred_to_is_there() {
    let mut missing = Names::new();
    let mut count = 0;
    for page in all_pages() {
        let text = fs::read_to_string(&page).expect("a page of UTF-8");
        for (name, section) in text.lines().flat_map(references) {
            count += 1;
            let reference = format!("{name}.{section}");
            if !pages().join(&reference).is_file() && !OF_THE_SYSTEM.contains(&reference.as_str()) {
                missing.insert(format!("{}: {reference}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
    assert!(count > 300, "only {count} references");
}

/// The pages that a line refers to by `Xr`, which may stand anywhere in it.
fn references(line: &str) -> Vec<(&str, &str)> {
    let words: Vec<&str> = line.strip_prefix('.').map(|rest| rest.split(' ').collect()).unwrap_or_default();
    let triples = words.windows(3).filter(|triple| triple[0] == "Xr");
    triples.map(|triple| (triple[1], triple[2])).collect()
}
