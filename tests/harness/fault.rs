//! What `faulty` (tests/faulty) is told and what it answers: which system call of a program goes wrong, and how.
//!
//! Orders and answers are files of one installation, in `HOME/faults`, so that a program can be reached that others start:
//!
//! | file | holds |
//! |---|---|
//! | `NAME` or `NAME:WORD` | an order for the next start of the program NAME (with the argument WORD) |
//! | the same, `.taken` | the order, once that program has started |
//! | the same, `.seen` | what came to pass: the calls, or the one that went wrong |

use std::fmt;
use std::str::FromStr;

/// Each of these is an answer that the kernel gives on a bad day.
pub const ERRORS: [(&str, i64); 6] =
    [("EIO", 5), ("ENOSPC", 28), ("EDQUOT", 122), ("EMFILE", 24), ("ENOMEM", 12), ("EINTR", 4)];

/// How a system call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed in place of the call.
    Kill,
    /// The call fails with this one of [`ERRORS`], and does nothing; but close(2) closes all the same, as Linux has it.
    Error(usize),
    /// The call reads or writes only the first byte, or buffer, of what was asked for.
    CutToOne,
    /// The call writes only half of what was asked for.
    CutToHalf,
}

/// What is to happen to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing: its calls are listed.
    List,
    /// One of its calls, counted from 0 in the order in which they begin, goes wrong.
    Fail {
        /// Which.
        call: usize,
        /// How.
        fault: Fault,
    },
}

/// A call that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its name, or its number.
    pub name: String,
    /// Whether the kernel may let it fail, and not the program with it.
    pub may_fail: bool,
    /// Of a call that reads or writes: how many bytes (buffers, of a vector) were asked for.
    pub length: Option<usize>,
    /// Whether it writes.
    pub writes: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Fault::Kill => "kill",
            Fault::Error(place) => ERRORS.get(*place).map_or("?", |(name, _)| name),
            Fault::CutToOne => "one",
            Fault::CutToHalf => "half",
        })
    }
}

impl FromStr for Fault {
    type Err = ();

    fn from_str(text: &str) -> Result<Fault, ()> {
        match text {
            "kill" => Ok(Fault::Kill),
            "one" => Ok(Fault::CutToOne),
            "half" => Ok(Fault::CutToHalf),
            name => ERRORS.iter().position(|(known, _)| *known == name).map(Fault::Error).ok_or(()),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::List => out.write_str("list"),
            Order::Fail { call, fault } => write!(out, "{call} {fault}"),
        }
    }
}

impl FromStr for Order {
    type Err = ();

    fn from_str(text: &str) -> Result<Order, ()> {
        if text == "list" {
            return Ok(Order::List);
        }
        let (call, fault) = text.split_once(' ').ok_or(())?;
        Ok(Order::Fail { call: call.parse().map_err(drop)?, fault: fault.parse()? })
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.length.map_or("-".to_owned(), |length| length.to_string());
        write!(out, "{} {} {} {length}", self.name, u8::from(self.may_fail), u8::from(self.writes))
    }
}

impl FromStr for Seen {
    type Err = ();

    fn from_str(text: &str) -> Result<Seen, ()> {
        let words: Vec<&str> = text.split(' ').collect();
        let [name, may_fail, writes, length] = words[..] else { return Err(()) };
        Ok(Seen {
            name: name.to_owned(),
            may_fail: may_fail == "1",
            writes: writes == "1",
            length: length.parse().ok(),
        })
    }
}

#[test]
fn orders_and_answers_are_read_as_they_were_written() {
    let faults = [Fault::Kill, Fault::CutToOne, Fault::CutToHalf, Fault::Error(0), Fault::Error(5)];
    for order in faults.map(|fault| Order::Fail { call: 57, fault }).into_iter().chain([Order::List]) {
        assert_eq!(order.to_string().parse(), Ok(order));
    }
    for length in [None, Some(4096)] {
        let seen = Seen { name: "write".to_owned(), may_fail: true, length, writes: true };
        assert_eq!(seen.to_string().parse(), Ok(seen));
    }
}
