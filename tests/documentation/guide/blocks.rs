//! The blocks of a Markdown text, and what is typed in them.
//!
//! ```text
//! console          what follows a prompt is typed, what follows that is what it prints
//! console again    its commands wait for something: each is repeated until it prints what it shall
//! console fails    its commands exit with another status than 0
//! console netqmail is typed on a machine where netqmail runs
//! zone             records in the form of RFC 1035 §5
//! ```
//!
//! `# ` is the prompt of root, `client$ ` that of somebody at another computer, and `> ` asks for the rest of a command.

/// What stands between two lines of backquotes.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The line of its first line, from 1.
    pub line: usize,
    /// Behind the backquotes.
    pub info: &'a str,
    /// What it holds.
    pub lines: Vec<&'a str>,
}

/// Who types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Root at the mail host.
    Root,
    /// A user at another computer.
    Client,
}

/// A command with what it shall print.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands, from 1.
    pub line: usize,
    /// Who types it.
    pub prompt: Prompt,
    /// The command, which may have several lines.
    pub command: String,
    /// The lines that the text shows.
    pub shown: Vec<String>,
    /// Whether it may be repeated.
    pub again: bool,
    /// Whether it has to fail.
    pub fails: bool,
}

/// All blocks.
///
/// # Panics
/// If the last one does not end.
pub fn blocks(text: &str) -> Vec<Block<'_>> {
    let (mut found, mut open): (Vec<Block<'_>>, Option<Block<'_>>) = (Vec::new(), None);
    for (number, line) in (1..).zip(text.lines()) {
        match (open.take(), line.strip_prefix("```")) {
            (Some(block), Some("")) => found.push(block),
            (Some(mut block), _) => {
                block.lines.push(line);
                open = Some(block);
            }
            (None, Some(info)) => open = Some(Block { line: number + 1, info, lines: Vec::new() }),
            (None, None) => {}
        }
    }
    assert_eq!(open, None, "a block without an end");
    found
}

/// The commands of a block of the kind `console`, with whether it wants netqmail's machine.
///
/// # Panics
/// If it says something that is none of the above.
pub fn steps(block: &Block<'_>) -> (bool, Vec<Step>) {
    let words: Vec<&str> = block.info.split(' ').skip(1).collect();
    for word in &words {
        assert!(["again", "fails", "netqmail"].contains(word), "line {}: what is {word}?", block.line);
    }
    let (again, fails) = (words.contains(&"again"), words.contains(&"fails"));
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in (block.line..).zip(&block.lines) {
        let typed = [("# ", Prompt::Root), ("client$ ", Prompt::Client)]
            .into_iter()
            .find_map(|(prompt, who)| Some((text.strip_prefix(prompt)?, who)));
        if let Some((command, prompt)) = typed {
            let (command, shown) = (command.to_owned(), Vec::new());
            steps.push(Step { line, prompt, command, shown, again, fails });
            continue;
        }
        let step = steps.last_mut().unwrap_or_else(|| panic!("line {line}: nobody has typed anything yet"));
        match text.strip_prefix("> ").filter(|_| step.shown.is_empty()) {
            Some(rest) => step.command = format!("{}\n{rest}", step.command),
            None => step.shown.push((*text).to_owned()),
        }
    }
    assert!(!steps.is_empty(), "line {}: a block without a command", block.line);
    (words.contains(&"netqmail"), steps)
}

#[test]
fn a_block_is_taken_apart_into_commands_and_what_they_print() {
    let text =
        "x\n```console again\n# cat >a <<E\n> b\n> E\nshown\n> shown\nclient$ c\n```\n```zone\nz\n```\n";
    let blocks = blocks(text);
    assert_eq!(
        blocks.iter().map(|block| (block.line, block.info)).collect::<Vec<_>>(),
        [(3, "console again"), (11, "zone")]
    );
    let (netqmail, steps) = steps(&blocks[0]);
    let step = |line, prompt, command: &str, shown: &[&str]| Step {
        line,
        prompt,
        command: command.to_owned(),
        shown: shown.iter().map(|line| (*line).to_owned()).collect(),
        again: true,
        fails: false,
    };
    assert!(!netqmail);
    let first = step(3, Prompt::Root, "cat >a <<E\nb\nE", &["shown", "> shown"]);
    assert_eq!(steps, [first, step(8, Prompt::Client, "c", &[])]);
}
