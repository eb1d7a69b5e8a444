//! URLs of a scope: http or https, to a name or an address, without credentials.

use std::net::IpAddr;

use http::Uri;

/// A URL that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether it is https.
    pub tls: bool,
    /// The name or address in it, without brackets.
    pub host: String,
    /// The port, spelled out or the scheme's.
    pub port: u16,
    /// Path and query, at least `/`.
    pub path: String,
}

/// Why a text is no URL of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkMistake {
    /// Not a URL.
    #[error("is no URL")]
    NoUrl,
    /// Another scheme.
    #[error("is neither http nor https")]
    Scheme,
    /// A name or password in it.
    #[error("carries a name or password")]
    Credentials,
    /// A host that is neither a name nor an address.
    #[error("has no host")]
    NoHost,
}

impl Link {
    /// Reads a URL. Its host is neither resolved nor checked against a scope here.
    pub fn parse(text: &str) -> Result<Link, LinkMistake> {
        let uri: Uri = text.parse().map_err(|_| LinkMistake::NoUrl)?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(LinkMistake::Scheme),
        };
        let authority = uri.authority().ok_or(LinkMistake::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(LinkMistake::Credentials);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if !Link::is_name(&host) && host.parse::<IpAddr>().is_err() {
            return Err(LinkMistake::NoHost);
        }
        let spelled = authority.as_str().rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let port = match authority.port_u16() {
            Some(port) => port,
            None if spelled => return Err(LinkMistake::NoUrl),
            None => [80, 443][usize::from(tls)],
        };
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Link { tls, host, port, path })
    }

    /// The address, when it is written as one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok().map(|address: IpAddr| address.to_canonical())
    }

    /// Whether a text is a host name (RFC 1123 2.1) that is no address: letters, digits,
    /// hyphens and, as they are met, underscores; the last label is no number, since resolvers
    /// read `10.1` and `0x7f.1` as addresses.
    pub fn is_name(text: &str) -> bool {
        let name = text.strip_suffix('.').unwrap_or(text);
        let label = |label: &str| {
            let fits = (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
            fits && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        let number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
        !name.is_empty() && name.len() <= 253 && name.split('.').all(label) && !number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_come_apart() {
        let link =
            |tls, host: &str, port, path: &str| Ok(Link { tls, host: host.to_owned(), port, path: path.to_owned() });
        assert_eq!(Link::parse("https://PACS.example/rs?x=1"), link(true, "pacs.example", 443, "/rs?x=1"));
        assert_eq!(Link::parse("http://10.0.0.5:8042"), link(false, "10.0.0.5", 8042, "/"));
        assert_eq!(Link::parse("http://[fd00::5]/a"), link(false, "fd00::5", 80, "/a"));
        assert_eq!(Link::parse("http://[fd00::5]:81/a"), link(false, "fd00::5", 81, "/a"));
        assert_eq!(Link::parse("http://[::ffff:10.0.0.5]/").unwrap().address(), "10.0.0.5".parse().ok());
    }

    #[test]
    fn other_urls_are_refused() {
        let refused = [
            ("", LinkMistake::NoUrl),
            ("ftp://pacs.example/", LinkMistake::Scheme),
            ("file:///etc/passwd", LinkMistake::NoUrl),
            ("pacs.example", LinkMistake::Scheme),
            ("/rs", LinkMistake::Scheme),
            ("http://user:word@pacs.example/", LinkMistake::Credentials),
            ("http://pacs.example:99999/", LinkMistake::NoUrl),
            ("http://0x7f.1/", LinkMistake::NoHost),
            ("http://127.1/", LinkMistake::NoHost),
            ("http://2130706433/", LinkMistake::NoHost),
        ];
        for (text, mistake) in refused {
            assert_eq!(Link::parse(text), Err(mistake), "{text}");
        }
    }
}
