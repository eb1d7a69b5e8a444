//! Frames of SMB over TCP (MS-SMB2 2.1), and the two negotiations.

use crate::net::{Line, Over};
use crate::probe::network::talk::{Talk, Unanswered, be32, le16, le32};

/// Commands of MS-SMB2 2.2.1.2.
pub(super) const NEGOTIATE: u16 = 0;
/// SESSION_SETUP.
pub(super) const SESSION_SETUP: u16 = 1;
/// LOGOFF.
pub(super) const LOGOFF: u16 = 2;
/// TREE_CONNECT.
pub(super) const TREE_CONNECT: u16 = 3;

/// Length of the header of SMB 2.
pub(super) const HEADER: usize = 64;
/// SMB 2.0.2 to 3.0.2: every server that knows 3.1.1 knows one of these too.
const DIALECTS: [u16; 4] = [0x0202, 0x0210, 0x0300, 0x0302];

/// What a server of SMB 2 and 3 says first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smb2 {
    /// DialectRevision.
    pub(super) dialect: u16,
    /// SMB2_NEGOTIATE_SIGNING_REQUIRED.
    pub(super) signing_required: bool,
}

/// An answer of SMB 2.
pub(super) struct Frame {
    /// NTSTATUS.
    pub(super) status: u32,
    /// The session, once there is one.
    pub(super) session: u64,
    /// Header and body: offsets in bodies count from the header.
    pub(super) bytes: Vec<u8>,
}

/// Negotiates SMB 2 on a connection of its own.
pub(super) async fn negotiate(line: &mut Line<'_>, port: u16) -> Result<Option<Smb2>, Unanswered> {
    let mut talk = Talk::open(line, port, Over::Clear).await?;
    negotiate_on(&mut talk).await
}

/// Negotiates SMB 2 (MS-SMB2 2.2.3).
pub(super) async fn negotiate_on(talk: &mut Talk<'_>) -> Result<Option<Smb2>, Unanswered> {
    // StructureSize 36, dialects, signing enabled, no capabilities, no GUID, no start time.
    let mut body = [36u16, DIALECTS.len() as u16, 1, 0].map(u16::to_le_bytes).concat();
    body.resize(36, 0);
    body.extend(DIALECTS.map(u16::to_le_bytes).concat());
    let Some(answer) = exchange(talk, NEGOTIATE, 0, 0, &body).await? else { return Ok(None) };
    let read = || {
        let dialect = le16(&answer.bytes, HEADER + 4).filter(|dialect| DIALECTS.contains(dialect))?;
        let signing_required = le16(&answer.bytes, HEADER + 2)? & 2 != 0;
        Some(Smb2 { dialect, signing_required })
    };
    Ok(read().filter(|_| answer.status == 0))
}

/// Asks for "NT LM 0.12" alone (MS-CIFS 2.2.4.52): whether a server that grants it requires
/// signing; `None` when it does not grant it.
pub(super) async fn negotiate_smb1(line: &mut Line<'_>, port: u16) -> Result<Option<bool>, Unanswered> {
    let mut request = b"\xffSMB\x72\0\0\0\0\x18\x01\x48".to_vec();
    request.resize(32, 0);
    request.extend(b"\0\x0c\0\x02NT LM 0.12\0");
    let mut talk = Talk::begin(line, port, Over::Clear, &framed(&request)).await?;
    let Some(answer) = frame(&mut talk).await? else { return Ok(None) };
    let granted = answer.starts_with(b"\xffSMB\x72") && answer.get(32) == Some(&17) && le16(&answer, 33) == Some(0);
    Ok(answer.get(35).filter(|_| granted).map(|mode| mode & 8 != 0))
}

/// Sends a request and reads the answer to it. `None` when it is not of SMB 2.
pub(super) async fn exchange(
    talk: &mut Talk<'_>,
    command: u16,
    message: u64,
    session: u64,
    body: &[u8],
) -> Result<Option<Frame>, Unanswered> {
    let mut request = b"\xfeSMB\x40\0\0\0\0\0\0\0".to_vec();
    request.extend(command.to_le_bytes());
    request.extend([1, 0]); // one credit
    request.resize(24, 0);
    request.extend(message.to_le_bytes());
    request.resize(40, 0);
    request.extend(session.to_le_bytes());
    request.resize(HEADER, 0);
    request.extend(body);
    talk.send(&framed(&request)).await?;
    let Some(bytes) = frame(talk).await? else { return Ok(None) };
    let read = || {
        let fits = bytes.starts_with(b"\xfeSMB\x40\0") && le16(&bytes, 12) == Some(command) && bytes.len() > HEADER;
        let session = u64::from(le32(&bytes, 40)?) | u64::from(le32(&bytes, 44)?) << 32;
        fits.then_some((le32(&bytes, 8)?, session))
    };
    let read = read();
    Ok(read.map(|(status, session)| Frame { status, session, bytes }))
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

async fn frame(talk: &mut Talk<'_>) -> Result<Option<Vec<u8>>, Unanswered> {
    let head = talk.take(4).await?;
    let length = be32(&head, 0).and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
    // A first byte that is not 0 makes it too long: it is no session message.
    if !(35..=super::super::talk::MAX_ANSWER).contains(&length) {
        return Ok(None);
    }
    talk.take(length).await.map(Some)
}
