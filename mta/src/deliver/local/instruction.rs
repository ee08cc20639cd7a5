//! The lines of a `.qmail` file as instructions. dot-qmail(5), "DESCRIPTION".

use super::refusal::Refusal;

/// What one line says. Names and addresses end at a NUL, where the system would end them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `./Maildir/`: put the message into a maildir.
    Maildir(Vec<u8>),
    /// `./Mailbox`: add the message to an mbox.
    Mbox(Vec<u8>),
    /// `|command`: feed the message to a shell command.
    Program(Vec<u8>),
    /// `&address` or `address`: send the message on.
    Forward(Vec<u8>),
}

/// The instructions of a text, in order, with the line that is refused in its place.
///
/// The lines before a bad one are in force: they are carried out before it is seen.
pub struct Instructions<'a> {
    rest: Option<&'a [u8]>,
    is_first: bool,
    forward_only: bool,
}

impl<'a> Instructions<'a> {
    /// Reads a text; with `forward_only` (the file's `x` bit is set) deliveries other than forwards are refused.
    ///
    /// An empty text is one empty line.
    pub fn new(text: &'a [u8], forward_only: bool) -> Instructions<'a> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        Instructions { rest: Some(text), is_first: true, forward_only }
    }

    fn next_line(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.rest = rest.get(end.saturating_add(1)..);
        rest.get(..end)
    }

    /// What a line says; nothing if it is blank, a comment or a setting.
    fn read(&mut self, line: &[u8]) -> Result<Option<Instruction>, Refusal> {
        let is_first = std::mem::take(&mut self.is_first);
        let line = trim_end(line);
        let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
        match text {
            [] if is_first => Err(Refusal::BlankFirstLine),
            [] | [b'#', ..] => Ok(None),
            [b'.' | b'/', ..] if self.forward_only => Err(Refusal::FileWithXBit),
            [b'.' | b'/', ..] if line.ends_with(b"/") => Ok(Some(Instruction::Maildir(text.to_vec()))),
            [b'.' | b'/', ..] => Ok(Some(Instruction::Mbox(text.to_vec()))),
            [b'|', _command @ ..] if self.forward_only => Err(Refusal::ProgramWithXBit),
            [b'|', command @ ..] => Ok(Some(Instruction::Program(command.to_vec()))),
            [b'+', setting @ ..] => {
                // `+list`: no file or program below. Other words are kept for the future.
                self.forward_only |= setting == b"list";
                Ok(None)
            }
            [b'&', address @ ..] => Ok(Some(Instruction::Forward(address.to_vec()))),
            address => Ok(Some(Instruction::Forward(address.to_vec()))),
        }
    }
}

impl Iterator for Instructions<'_> {
    type Item = Result<Instruction, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(line) = self.next_line() {
            if let Some(instruction) = self.read(line).transpose() {
                return Some(instruction);
            }
        }
        None
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t'));
    end.and_then(|end| line.get(..=end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8], forward_only: bool) -> (Vec<Instruction>, Option<&'static str>) {
        let mut done = Vec::new();
        for instruction in Instructions::new(text, forward_only) {
            match instruction {
                Ok(instruction) => done.push(instruction),
                Err(Refusal::BlankFirstLine) => return (done, Some("blank")),
                Err(Refusal::FileWithXBit) => return (done, Some("file")),
                Err(Refusal::ProgramWithXBit) => return (done, Some("program")),
                Err(other) => panic!("{other:?}"),
            }
        }
        (done, None)
    }

    fn forward(address: &str) -> Instruction {
        Instruction::Forward(address.into())
    }

    #[test]
    fn each_kind_of_line_is_known_by_its_first_byte() {
        let text = b"# c\n./mb \t\n/md/\n|a | b \n& x@y\nz@w\n\n\t./f\n+word\n&\nlast";
        let expected = [
            Instruction::Mbox(b"./mb".to_vec()),
            Instruction::Maildir(b"/md/".to_vec()),
            Instruction::Program(b"a | b".to_vec()),
            forward(" x@y"),
            forward("z@w"),
            forward("\t./f"),
            forward(""),
            forward("last"),
        ];
        assert_eq!(read(text, false), (expected.to_vec(), None));
    }

    #[test]
    fn a_blank_first_line_is_refused_and_a_later_one_is_not() {
        for text in [&b""[..], b"\n", b" \t\n&a\n", b"\0x\n"] {
            assert_eq!(read(text, false), (vec![], Some("blank")), "{text:?}");
        }
        assert_eq!(read(b"#\n\n \n", false), (vec![], None));
    }

    #[test]
    fn the_x_bit_and_list_allow_forwards_only() {
        assert_eq!(read(b"&a\n./mb\n", true), (vec![forward("a")], Some("file")));
        assert_eq!(read(b"a\n|x\n", true), (vec![forward("a")], Some("program")));
        let before = Instruction::Mbox(b"./mb".to_vec());
        assert_eq!(read(b"./mb\n+list \n|x\n", false), (vec![before], Some("program")));
        assert_eq!(read(b"+lists\n./mb\n", false).1, None);
    }

    #[test]
    fn a_nul_ends_what_the_line_names() {
        let (instructions, _) = read(b"./mb\0x\n|a\0b\n&c\0d\n./md\0/\n", false);
        let expected = [
            Instruction::Mbox(b"./mb".to_vec()),
            Instruction::Program(b"a".to_vec()),
            forward("c"),
            Instruction::Maildir(b"./md".to_vec()),
        ];
        assert_eq!(instructions, expected);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_instruction_holds_a_nul_or_a_line_end(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(0), Just(b' '), Just(b'|'), any::<u8>()], 0..80),
            forward_only: bool,
        ) {
            for instruction in read(&text, forward_only).0 {
                let (Instruction::Maildir(what) | Instruction::Mbox(what) | Instruction::Program(what)
                    | Instruction::Forward(what)) = &instruction;
                prop_assert!(!what.contains(&0) && !what.contains(&b'\n'));
                prop_assert!(!forward_only || matches!(instruction, Instruction::Forward(_)));
            }
        }
    }
}
