//! The envelope sender of forwarded messages: the owner's address if the list has an owner. dot-qmail(5).

use super::delivery::Delivery;
use super::dot_qmail;
use super::refusal::Refusal;
use crate::queue::envelope::DOUBLE_BOUNCE_SENDER;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unix::failure;

/// The sender for forwards: the original one, or `…-owner` if there is such a `.qmail` file.
///
/// The file is asked for with the extension of the address, whichever file controls it. With a file
/// `…-owner-default` as well, each recipient's bounces are told apart: a variable envelope return path.
pub fn find(directory: &Path, delivery: &Delivery) -> Result<Vec<u8>, Refusal> {
    let Delivery { local, dash, ext, domain, sender, .. } = delivery;
    let safe = dot_qmail::safe_extension(ext);
    // A bounce has no owner: it would only bounce to him.
    if sender.is_empty() || sender == DOUBLE_BOUNCE_SENDER || !dot_qmail::is_file_name_part(&safe) {
        return Ok(sender.clone());
    }
    let owner = [b".qmail", dash.as_slice(), &safe, b"-owner"].concat();
    if !exists(directory, &owner)? {
        return Ok(sender.clone());
    }
    Ok(if exists(directory, &[owner.as_slice(), b"-default"].concat())? {
        [local.as_slice(), b"-owner-@", domain, b"-@[]"].concat()
    } else {
        [local.as_slice(), b"-owner@", domain].concat()
    })
}

fn exists(directory: &Path, name: &[u8]) -> Result<bool, Refusal> {
    match std::fs::metadata(directory.join(OsStr::from_bytes(name))) {
        Ok(_) => Ok(true),
        Err(error) if failure::is_temporary(&error) => {
            Err(Refusal::DotQmailUnreadable { name: name.to_vec(), error })
        }
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::super::header_lines::tests::delivery;
    use super::*;

    #[test]
    fn the_owner_takes_the_bounces_of_a_list_but_not_bounces_themselves() {
        let home = tempfile::tempdir().unwrap();
        let sender_of = |sender: &str| {
            String::from_utf8(find(home.path(), &delivery("List.X", "h", sender)).unwrap()).unwrap()
        };
        assert_eq!(sender_of("s@t"), "s@t");
        std::fs::write(home.path().join(".qmail-list:x-owner"), "").unwrap();
        assert_eq!(sender_of("s@t"), "joe-List.X-owner@h");
        std::fs::write(home.path().join(".qmail-list:x-owner-default"), "").unwrap();
        assert_eq!(sender_of("s@t"), "joe-List.X-owner-@h-@[]");
        assert_eq!(sender_of(""), "");
        assert_eq!(sender_of("#@[]"), "#@[]");
    }
}
