//! `[people]`: sessions of people and the name they reach the web face by.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use leadglass_archive::access::people::PeopleSettings;

use super::section::section;

/// Most words of a site, and the longest of them in bytes.
const MOST_WORDS: usize = 200;
const LONGEST_WORD: usize = 64;

section! {
    /// People: where they reach the web face and how long they stay signed in. Who administers
    /// needs a second factor, and everybody does where others could come: at an address of `[listen]`
    /// that is not loopback, or by a `public_url` that is not `localhost`. No key changes that.
    pub struct People {
        /// `https://NAME[:PORT]`, as people's browsers show it. Passkeys work under that name
        /// alone, and identity providers send people back to it. Empty: `https://localhost` at the
        /// port of `listen.https`. With another name others come, also where `[listen]` is loopback
        /// and a proxy stands before it: until they may, HTTPS is on loopback at a port nobody knows.
        pub public_url: String = String::new(),
        /// Hours after which a session ends, however much it is used.
        pub session_hours: u64 = 12,
        /// Minutes without use after which a session ends.
        pub idle_minutes: u64 = 15,
        /// A file of breached passphrases beside the built-in list: SHA-1 in hexadecimal, one a
        /// line, sorted, as Have I Been Pwned gives it out (a count after a colon is passed over).
        /// The list is the site's to bring: empty, none is asked. One that is named and cannot be
        /// read keeps the archive from starting and, later, any passphrase from being taken.
        pub breached_sha1: PathBuf = PathBuf::new(),
        /// Words that guessers of this site's passphrases would try first: the names of the
        /// hospital, its departments, systems and town. In a passphrase they count for next to nothing.
        pub words: Vec<String> = Vec::new(),
    }
}

impl People {
    /// What is wrong with it.
    pub(super) fn flaw(&self) -> Option<(&'static str, String)> {
        if !self.public_url.is_empty() && host_of(&self.public_url).is_none() {
            return Some(("people.public_url", "is https://NAME or https://NAME:PORT".into()));
        }
        if !(1..=24).contains(&self.session_hours) {
            return Some(("people.session_hours", "is 1 to 24".into()));
        }
        if !(1..=60).contains(&self.idle_minutes) {
            return Some(("people.idle_minutes", "is 1 to 60".into()));
        }
        if self.words.len() > MOST_WORDS || self.words.iter().any(|word| word.is_empty() || word.len() > LONGEST_WORD) {
            return Some(("people.words", format!("are at most {MOST_WORDS} of 1 to {LONGEST_WORD} bytes")));
        }
        None
    }

    /// Whether people elsewhere are told of a name to come by, so that a door on loopback has a
    /// proxy before it. A name that is not plainly this machine's own is others'.
    pub(crate) fn is_public(&self) -> bool {
        let is_own = |host: &str| {
            let is_loopback = host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
            host == "localhost" || host.ends_with(".localhost") || is_loopback
        };
        !self.public_url.is_empty() && !host_of(&self.public_url).is_some_and(is_own)
    }

    /// Refuses a list of breached passphrases that is named and cannot be read.
    pub(crate) fn check_breached(&self) -> std::io::Result<()> {
        match self.breached_sha1.as_os_str().is_empty() {
            true => Ok(()),
            false => crate::login::breached::check(&self.breached_sha1),
        }
    }

    /// As the archive knows it.
    pub(crate) fn settings(&self, second_factor_for_all: bool) -> PeopleSettings {
        let file = self.breached_sha1.clone();
        PeopleSettings {
            second_factor_for_all,
            session: Duration::from_secs(self.session_hours * 3600),
            idle: Duration::from_secs(self.idle_minutes * 60),
            breached: (!file.as_os_str().is_empty()).then(|| crate::login::breached::list(file)),
            words: self.words.clone(),
        }
    }
}

/// The host of `https://NAME[:PORT]`.
pub(crate) fn host_of(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("https://")?;
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
    let plain = host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
    (!host.is_empty() && plain && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_site_are_few_and_short() {
        let of = |words: Vec<String>| People { words, ..People::default() };
        assert!(of(vec!["Agathastift".into(), "Quellheim".into()]).flaw().is_none());
        for wrong in [vec![String::new()], vec!["x".repeat(LONGEST_WORD + 1)], vec!["x".into(); MOST_WORDS + 1]] {
            assert_eq!(of(wrong).flaw().map(|(key, _)| key), Some("people.words"));
        }
        assert_eq!(of(vec!["Quellheim".into()]).settings(false).words, ["Quellheim"]);
    }

    #[test]
    fn a_name_that_is_not_this_machine_s_own_brings_others() {
        let of = |url: &str| People { public_url: url.into(), ..People::default() }.is_public();
        for own in
            ["", "https://localhost", "https://localhost:8443", "https://pacs.localhost", "https://127.0.0.1:8443"]
        {
            assert!(!of(own), "{own}");
        }
        for others in ["https://pacs.example", "https://10.1.2.3", "https://localhost.example", "https://127.1", "junk"]
        {
            assert!(of(others), "{others}");
        }
    }

    #[test]
    fn a_public_name_is_a_plain_name_behind_https() {
        assert_eq!(host_of("https://pacs.example"), Some("pacs.example"));
        assert_eq!(host_of("https://localhost:8443"), Some("localhost"));
        for hostile in
            ["", "http://pacs.example", "https://", "https://a/b", "https://a@b", "https://a:0", "https://A", "pacs"]
        {
            assert_eq!(host_of(hostile), None, "{hostile}");
        }
    }
}
