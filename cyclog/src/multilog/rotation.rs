//! The rules of rotation: what a finished file is called, and which ones there are. No I/O.

use crate::label::{self, Moment};
use unix::stamp::Stamp;

/// The label for a file that is finished `now`: later than that of every file in `names`, also when the clock went
/// back, so that the order of the names stays the order of the lines.
pub fn next_label(names: &[Vec<u8>], now: Stamp) -> [u8; label::LENGTH] {
    let present = label::encode(now);
    let newest = names.iter().filter_map(|name| label_of(name)).max();
    match newest.and_then(label::decode).and_then(successor) {
        Some(next) => present.max(label::encode(next)),
        None => present,
    }
}

/// The finished files among the names, oldest first.
pub fn finished(mut names: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    names.retain(|name| name.starts_with(b"@") && name.len() >= label::LENGTH);
    names.sort();
    names
}

/// The label that a name of multilog's begins with.
fn label_of(name: &[u8]) -> Option<&[u8]> {
    name.get(..label::LENGTH).filter(|text| label::decode(text).is_some())
}

/// The next microsecond.
fn successor(moment: Moment) -> Option<Stamp> {
    let seconds = u64::try_from(moment.seconds).ok()?;
    let nanoseconds = moment.nanoseconds.saturating_add(1000);
    let carry = u64::from(nanoseconds / 1_000_000_000);
    Some(Stamp { seconds: seconds.saturating_add(carry), nanoseconds: nanoseconds % 1_000_000_000 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn r6_labels_go_on_when_the_clock_went_back() {
        let now = Stamp { seconds: 0x7f6, nanoseconds: 0 };
        let label = |files: &[&str]| String::from_utf8(next_label(&names(files), now).to_vec()).unwrap();
        assert_eq!(label(&[]), "@4000000000000800000001f4");
        assert_eq!(label(&["@4000000000000799000001f4.s", "@foo"]), "@4000000000000800000001f4");
        assert_eq!(label(&["@4000000000000800000001f4.s"]), "@4000000000000800000005dc");
        assert_eq!(
            label(&["@40000000000009003b9ac8f4.u", "@4000000000000800000001f4.s"]),
            "@4000000000000901000001f4"
        );
    }

    #[test]
    fn names_of_25_bytes_and_more_count_and_the_smallest_are_the_oldest() {
        let all = names(&[
            "@4000000000000800000001f4.s",
            "@x",
            "current",
            "@zzzzzzzzzzzzzzzzzzzzzzzz",
            "@0000000000000000000000000",
        ]);
        let expected =
            ["@0000000000000000000000000", "@4000000000000800000001f4.s", "@zzzzzzzzzzzzzzzzzzzzzzzz"];
        assert_eq!(finished(all), names(&expected));
    }
}
