//! Instructions of forwarding tables and binary lists: strings that end in NUL, whose first byte says what they ask for.

/// One instruction, as it stands in a table, with its first byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// `&ADDRESS`
    Recipient(Vec<u8>),
    /// `|COMMAND`, or `!COMMAND` that is run through preline.
    Program(Vec<u8>),
    /// `./FILE` or `/FILE`: a binary list.
    List(Vec<u8>),
}

/// No recipient is longer, with its `&` and its NUL. (The tools that make tables and lists allow 800 bytes.)
const LONGEST_RECIPIENT: usize = 900;

/// What no table and no list consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl Instruction {
    /// Reads one instruction, without its NUL.
    pub fn parse(text: &[u8]) -> Result<Instruction, Unknown> {
        match text.first() {
            Some(b'&') if text.len() < LONGEST_RECIPIENT => {
                Ok(Instruction::Recipient(text.get(1..).unwrap_or_default().to_vec()))
            }
            Some(b'|' | b'!') => Ok(Instruction::Program(text.to_vec())),
            Some(b'.' | b'/') => Ok(Instruction::List(text.to_vec())),
            _ => Err(Unknown),
        }
    }
}

/// The instructions of a record of a table.
pub fn of_record(data: &[u8]) -> Result<Vec<Instruction>, Unknown> {
    strings(data)?.into_iter().map(Instruction::parse).collect()
}

/// The instructions of a binary list, where no program may stand.
pub fn of_list(data: &[u8]) -> Result<Vec<Instruction>, Unknown> {
    let instructions = of_record(data)?;
    let is_program = |one: &Instruction| matches!(one, Instruction::Program(_));
    if instructions.iter().any(is_program) { Err(Unknown) } else { Ok(instructions) }
}

/// The strings that end in NUL; there has to be nothing behind the last one.
fn strings(data: &[u8]) -> Result<Vec<&[u8]>, Unknown> {
    let mut strings: Vec<&[u8]> = data.split(|byte| *byte == 0).collect();
    if strings.pop() == Some(b"") { Ok(strings) } else { Err(Unknown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instruction_is_known_by_its_first_byte() {
        let parsed = of_record(b"&a@b\0|x y\0!z\0./f\0/g\0").unwrap();
        assert_eq!(
            parsed,
            [
                Instruction::Recipient(b"a@b".to_vec()),
                Instruction::Program(b"|x y".to_vec()),
                Instruction::Program(b"!z".to_vec()),
                Instruction::List(b"./f".to_vec()),
                Instruction::List(b"/g".to_vec()),
            ]
        );
        assert_eq!(of_record(b""), Ok(Vec::new()));
    }

    #[test]
    fn what_was_not_made_by_our_tools_is_refused() {
        for data in [&b"&a"[..], b"&a\0b\0", b"\0", b"text\n", b"&a\0/x"] {
            assert_eq!(of_record(data), Err(Unknown));
        }
        assert_eq!(of_list(b"&a\0|x\0"), Err(Unknown));
        assert_eq!(of_record(&[b"&".as_slice(), &[b'x'; 899], b"\0"].concat()), Err(Unknown));
        assert!(of_record(&[b"&".as_slice(), &[b'x'; 898], b"\0"].concat()).is_ok());
    }
}
