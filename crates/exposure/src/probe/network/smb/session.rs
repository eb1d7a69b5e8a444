//! A session without a secret (MS-SMB2 2.2.5), the shares that open in it, and its end.

use super::frame::{self, Frame, HEADER, LOGOFF, SESSION_SETUP, TREE_CONNECT};
use super::ntlm;
use crate::catalogue::Name;
use crate::net::{Line, Over};
use crate::probe::network::talk::{Talk, Unanswered, le16, le32};
use crate::tries::Account;

/// STATUS_MORE_PROCESSING_REQUIRED.
const MORE_PROCESSING: u32 = 0xc000_0016;
/// FILE_READ_DATA, which for a folder is the right to list it.
const READ_DATA: u32 = 1;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Anonymous: no name, no password (MS-NLMP 3.2.5.1.2).
    Nobody,
    /// The account Guest with a blank password.
    Guest,
}

impl Who {
    /// As reports say it.
    pub(super) fn name(self) -> Name {
        Name::fixed(if self == Who::Nobody { "null-session" } else { "guest-session" })
    }

    /// As it is tried: Guest is an account, and may be locked.
    pub(super) fn account(self) -> Account {
        if self == Who::Nobody { Account::Nobody(self.name()) } else { Account::Named(self.name()) }
    }
}

/// How it went.
pub(super) struct Session {
    /// Whether there was one, and something opened in it.
    pub(super) granted: bool,
    /// The last NTSTATUS of the set-up.
    pub(super) status: u32,
    /// Shares that may be read.
    pub(super) readable: u64,
}

/// Asks for a session, tries the shares in it, and logs off.
pub(super) async fn open(line: &mut Line<'_>, port: u16, who: Who, shares: &[String]) -> Result<Session, Unanswered> {
    let (address, now) = (line.address(), line.run().now());
    let client_challenge = line.run().key.derive("ntlm", address.to_string().as_bytes());
    let mut talk = Talk::open(line, port, Over::Clear).await?;
    frame::negotiate_on(&mut talk).await?.ok_or(Unanswered::Babble)?;
    let first = set_up(&mut talk, 1, 0, &ntlm::negotiate()).await?;
    if first.status != MORE_PROCESSING {
        return Ok(Session { granted: false, status: first.status, readable: 0 });
    }
    let challenge = token(&first).and_then(ntlm::Challenge::read).ok_or(Unanswered::Babble)?;
    let answer = match who {
        Who::Nobody => ntlm::anonymous(),
        Who::Guest => ntlm::guest(&challenge, &client_challenge[..8], now),
    };
    let done = set_up(&mut talk, 2, first.session, &answer).await?;
    if done.status != 0 {
        return Ok(Session { granted: false, status: done.status, readable: 0 });
    }
    let (mut opens, mut readable, mut message) = (who == Who::Guest, 0, 3);
    // Some servers grant a session to nobody and then let nobody open anything in it: that is none.
    let pipes = (who == Who::Nobody).then_some("IPC$");
    for share in pipes.into_iter().chain(shares.iter().map(String::as_str)) {
        let path = format!("\\\\{address}\\{share}");
        match tree_connect(&mut talk, message, done.session, &path).await {
            Ok(tree) => {
                opens |= tree.opens;
                readable += u64::from(tree.may_read);
            }
            Err(_) => break,
        }
        message += 1;
    }
    // StructureSize 4. Whether it is answered is nobody's matter.
    let _ = frame::exchange(&mut talk, LOGOFF, message, done.session, &[4, 0, 0, 0]).await;
    Ok(Session { granted: opens, status: 0, readable })
}

async fn set_up(talk: &mut Talk<'_>, message: u64, session: u64, token: &[u8]) -> Result<Frame, Unanswered> {
    // StructureSize 25, no flags, signing enabled, no capabilities, no channel, where the token is.
    let mut body = vec![25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    body.extend((HEADER as u16 + 24).to_le_bytes());
    body.extend((token.len() as u16).to_le_bytes());
    body.resize(24, 0);
    body.extend(token);
    frame::exchange(talk, SESSION_SETUP, message, session, &body).await?.ok_or(Unanswered::Babble)
}

fn token(answer: &Frame) -> Option<&[u8]> {
    let (offset, length) = (le16(&answer.bytes, HEADER + 4)?, le16(&answer.bytes, HEADER + 6)?);
    answer.bytes.get(usize::from(offset)..usize::from(offset) + usize::from(length))
}

/// A share that was asked for.
struct Tree {
    opens: bool,
    may_read: bool,
}

/// Whether a share opens and may be read (MS-SMB2 2.2.10: MaximalAccess).
async fn tree_connect(talk: &mut Talk<'_>, message: u64, session: u64, path: &str) -> Result<Tree, Unanswered> {
    let path: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut body = vec![9, 0, 0, 0];
    body.extend((HEADER as u16 + 8).to_le_bytes());
    body.extend((path.len() as u16).to_le_bytes());
    body.extend(path);
    let answer = frame::exchange(talk, TREE_CONNECT, message, session, &body).await?.ok_or(Unanswered::Babble)?;
    let is_disk = answer.bytes.get(HEADER + 2) == Some(&1);
    let access = le32(&answer.bytes, HEADER + 12).unwrap_or(0);
    let opens = answer.status == 0;
    Ok(Tree { opens, may_read: opens && is_disk && access & READ_DATA != 0 })
}
