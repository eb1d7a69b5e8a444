//! One mail over SMTP, TLS from the first byte (RFC 8314 3.3).
//!
//! Deliberately absent: STARTTLS, which begins in clear, and everything a mail program would
//! have beyond one text to one address.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::Failed;
use super::tls::Towards;
use crate::config::trail::{AlertMail, ClientTls, EMail};

/// For the whole conversation.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of one line of the server's.
const LINE_BYTES: u64 = 2048;
/// Lines of one answer.
const LINES: usize = 64;

/// Whose mail it is, and by which server it goes.
pub struct Mailbox<'a> {
    server: &'a str,
    tls: &'a ClientTls,
    from: &'a str,
    to: &'a str,
    user: Option<&'a str>,
    password_file: Option<&'a Path>,
}

macro_rules! has_a_mailbox {
    ($($config:ident)*) => {$(
        impl<'a> From<&'a $config> for Mailbox<'a> {
            fn from(mail: &'a $config) -> Mailbox<'a> {
                Mailbox {
                    server: &mail.server,
                    tls: &mail.tls,
                    from: &mail.from,
                    to: &mail.to,
                    user: mail.user.as_deref(),
                    password_file: mail.password_file.as_deref(),
                }
            }
        }
    )*};
}
has_a_mailbox!(EMail AlertMail);

/// Sends a mail of that subject and text.
pub async fn send(mail: Mailbox<'_>, host: &str, subject: &str, text: &str, now: OffsetDateTime) -> Result<(), Failed> {
    for address in [mail.from, mail.to] {
        let plain = address.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>'));
        if !plain || !address.contains('@') {
            return Err(Failed::Configured("an address is name@host"));
        }
    }
    let towards = Towards::new(mail.server, mail.tls)?;
    let talk = async {
        let mut talk = Talk(BufReader::new(towards.connect().await?));
        talk.expect(220).await?;
        let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
        talk.say(&format!("EHLO {}", if host.is_empty() { "localhost" } else { &host }), 250).await?;
        if let (Some(user), Some(file)) = (mail.user, mail.password_file) {
            let password = super::secret(file)?;
            let plain = zeroize::Zeroizing::new(format!("\0{user}\0{}", password.as_str()));
            let line = zeroize::Zeroizing::new(format!("AUTH PLAIN {}", STANDARD.encode(plain.as_bytes())));
            talk.say(&line, 235).await?;
        }
        talk.say(&format!("MAIL FROM:<{}>", mail.from), 250).await?;
        talk.say(&format!("RCPT TO:<{}>", mail.to), 250).await?;
        talk.say("DATA", 354).await?;
        talk.say(&letter(&mail, subject, text, now), 250).await?;
        // It is theirs now: how they say goodbye does not matter.
        let _ = talk.say("QUIT", 221).await;
        Ok(())
    };
    tokio::time::timeout(PATIENCE, talk).await.map_err(|_| Failed::Silent)?
}

/// Head and text, lines that begin with a dot doubled (RFC 5321 4.5.2), and the end.
fn letter(mail: &Mailbox<'_>, subject: &str, text: &str, now: OffsetDateTime) -> String {
    let date = now.format(&Rfc2822).unwrap_or_default();
    let mut letter = format!(
        "From: <{}>\r\nTo: <{}>\r\nSubject: {subject}\r\nDate: {date}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        mail.from, mail.to
    );
    for line in text.lines() {
        letter.push_str(if line.starts_with('.') { "." } else { "" });
        letter.push_str(line);
        letter.push_str("\r\n");
    }
    letter.push('.');
    letter
}

struct Talk(BufReader<TlsStream<TcpStream>>);

impl Talk {
    async fn say(&mut self, line: &str, wanted: u16) -> Result<(), Failed> {
        self.0.write_all(line.as_bytes()).await.map_err(Failed::Io)?;
        self.0.write_all(b"\r\n").await.map_err(Failed::Io)?;
        self.0.flush().await.map_err(Failed::Io)?;
        self.expect(wanted).await
    }

    /// The answer's lines: `250-…` go on, `250 …` is the last.
    async fn expect(&mut self, wanted: u16) -> Result<(), Failed> {
        for _ in 0..LINES {
            let mut line = Vec::new();
            (&mut self.0).take(LINE_BYTES).read_until(b'\n', &mut line).await.map_err(Failed::Io)?;
            let code = line.get(..3).and_then(|code| std::str::from_utf8(code).ok()?.parse::<u16>().ok());
            match (code, line.get(3)) {
                (Some(_), Some(b'-')) => {}
                (Some(code), _) if code == wanted => return Ok(()),
                (Some(code), _) => return Err(Failed::Answered(code)),
                (None, _) => return Err(Failed::Configured("what answers is no mail server")),
            }
        }
        Err(Failed::Silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_letter_ends_where_it_ends() {
        let mail: EMail =
            toml::from_str("name = 'm'\nserver = 'h:465'\ntls = { ca = '/c' }\nfrom = 'a@b'\nto = 'c@d'").unwrap();
        let letter = letter(&(&mail).into(), "checkpoint", "one\n.\n..two\n", datetime!(2026-01-01 0:00 UTC));
        assert!(letter.ends_with("\r\n\r\none\r\n..\r\n...two\r\n."), "{letter:?}");
        assert_eq!(letter.matches("\r\n.\r\n").count(), 0);
    }
}
