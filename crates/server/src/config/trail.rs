//! `[trail]`: where the trail is handed on to, and who keeps its checkpoints.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::section::section;

section! {
    /// Where the trail is handed on to, and who keeps its checkpoints: see docs/TRAIL.md.
    /// What is recorded is not set here, nor anywhere.
    pub struct Trail {
        /// This archive's name in audit messages (AuditSourceID). Empty: its AE title.
        pub source: String = String::new(),
        /// The site's name in audit messages (AuditEnterpriseSiteID). Empty: none.
        pub site: String = String::new(),
        /// A step of the clock by more than that, other than by time passing, is recorded.
        pub clock_jump_s: u64 = 30,
        /// Destinations of entries, each a table `[[trail.deliveries]]` with a `kind`:
        /// `syslog`, `fhir-file`, `webhook` or `e-mail`.
        pub deliveries: Vec<Delivery> = Vec::new(),
        /// Keepers of signed checkpoints, each a table `[[trail.checkpoints]]` with a `kind`:
        /// `file`, `syslog`, `s3` or `e-mail`.
        pub checkpoints: Vec<Keeper> = Vec::new(),
    }
}

/// A destination of entries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Delivery {
    /// DICOM audit messages to an audit repository: RFC 5424 over TLS (RFC 5425).
    Syslog(SyslogDelivery),
    /// FHIR AuditEvents, a line each, into a folder.
    FhirFile(FhirFile),
    /// JSON to a URL, signed.
    Webhook(Webhook),
    /// Security alerts by e-mail, without a word of whom they are about.
    EMail(AlertMail),
}

/// A keeper of checkpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Keeper {
    /// Another folder: of another machine, mounted here.
    File(KeeperFolder),
    /// Syslog over TLS.
    Syslog(KeeperSyslog),
    /// S3, written once (object lock).
    S3(S3),
    /// E-mail.
    EMail(EMail),
}

/// TLS to a destination: whom we believe, and what we show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// Certificates of the authorities that are believed for this destination alone, PEM.
    pub ca: PathBuf,
    /// Our certificate there, PEM, when it wants one (with `key`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// What a syslog server does when it has read everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// It ends TLS with a close_notify (RFC 5425 4.4): nobody on the way can say that for it.
    #[default]
    CloseNotify,
    /// It closes the connection and no more, as rsyslog does with its GnuTLS driver. Whoever can
    /// cut connections on the way can then have entries taken for arrived that did not.
    ConnectionClosed,
}

impl Arrival {
    /// Whether nothing was said of it.
    fn is_default(&self) -> bool {
        *self == Arrival::default()
    }
}

macro_rules! destination {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $(#[serde($($default:tt)+)])? $field:ident: $type:ty,)* }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// What it is called: lower-case letters, digits and hyphens; its place is kept under that name.
            pub name: String,
            $($(#[doc = $doc])+ $(#[serde($($default)+)])? pub $field: $type,)*
        }
    };
}

destination! {
    /// An audit repository.
    SyslogDelivery {
        /// `host:port`.
        to: String,
        /// TLS.
        tls: ClientTls,
        /// MSGID: of DICOM (PS3.15 A.6), or of IHE (ITI-20).
        #[serde(default)]
        message_id: MessageId,
        /// How the other side says that it has read to the end.
        #[serde(default, skip_serializing_if = "Arrival::is_default")]
        arrival: Arrival,
    }
}

destination! {
    /// A folder for AuditEvents.
    FhirFile {
        /// The folder; a file a day.
        folder: PathBuf,
    }
}

destination! {
    /// A receiver of webhooks.
    Webhook {
        /// `https://…`; no redirect is followed.
        url: String,
        /// TLS.
        tls: ClientTls,
        /// A file with the secret that signs, at least 16 bytes.
        secret_file: PathBuf,
        /// `alerts` or `all`.
        #[serde(default)]
        what: What,
    }
}

destination! {
    /// A mailbox for alerts.
    AlertMail {
        /// `host:port` of the server, TLS from the first byte (RFC 8314); STARTTLS is not spoken.
        server: String,
        /// TLS.
        tls: ClientTls,
        /// The sender's address.
        from: String,
        /// The recipient's address.
        to: String,
        /// The user to log in as, when the server wants one (with `password_file`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// A file with the password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_file: Option<PathBuf>,
    }
}

destination! {
    /// A folder for checkpoints.
    KeeperFolder {
        /// The folder; a file a checkpoint.
        folder: PathBuf,
    }
}

destination! {
    /// A syslog server for checkpoints.
    KeeperSyslog {
        /// `host:port`.
        to: String,
        /// TLS.
        tls: ClientTls,
        /// How the other side says that it has read to the end.
        #[serde(default, skip_serializing_if = "Arrival::is_default")]
        arrival: Arrival,
    }
}

destination! {
    /// A bucket with object lock.
    S3 {
        /// `https://host[:port]`; the bucket is in the path.
        endpoint: String,
        /// The bucket: made with object lock.
        bucket: String,
        /// What keys begin with.
        #[serde(default)]
        prefix: String,
        /// The region that is signed for.
        #[serde(default = "default_region")]
        region: String,
        /// TLS.
        tls: ClientTls,
        /// The access key's id.
        access_key_id: String,
        /// A file with the secret access key.
        secret_key_file: PathBuf,
        /// Days until which no version of the object can be removed by anybody (compliance mode).
        #[serde(default = "default_retention_days")]
        retention_days: u32,
    }
}

destination! {
    /// A mailbox for checkpoints.
    EMail {
        /// `host:port` of the server, TLS from the first byte (RFC 8314); STARTTLS is not spoken.
        server: String,
        /// TLS.
        tls: ClientTls,
        /// The sender's address.
        from: String,
        /// The recipient's address.
        to: String,
        /// The user to log in as, when the server wants one (with `password_file`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// A file with the password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_file: Option<PathBuf>,
        /// Hours between two mails; each holds the newest checkpoint.
        #[serde(default = "default_every_h")]
        every_h: u64,
    }
}

/// The MSGID of audit messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageId {
    /// PS3.15 A.6.
    #[default]
    #[serde(rename = "DICOM+RFC3881")]
    Dicom,
    /// IHE ITI-20.
    #[serde(rename = "IHE+RFC-3881")]
    Ihe,
}

impl MessageId {
    /// As it stands in a message.
    pub fn text(self) -> &'static str {
        match self {
            MessageId::Dicom => "DICOM+RFC3881",
            MessageId::Ihe => "IHE+RFC-3881",
        }
    }
}

/// Which entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Security alerts.
    #[default]
    Alerts,
    /// All that PS3.15 has a message for.
    All,
}

fn default_region() -> String {
    "us-east-1".into()
}

fn default_retention_days() -> u32 {
    2220
}

fn default_every_h() -> u64 {
    24
}

impl Delivery {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Delivery::Syslog(SyslogDelivery { name, .. })
            | Delivery::FhirFile(FhirFile { name, .. })
            | Delivery::Webhook(Webhook { name, .. })
            | Delivery::EMail(AlertMail { name, .. }) => name,
        }
    }
}

impl Keeper {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Keeper::File(KeeperFolder { name, .. })
            | Keeper::Syslog(KeeperSyslog { name, .. })
            | Keeper::S3(S3 { name, .. })
            | Keeper::EMail(EMail { name, .. }) => name,
        }
    }
}

impl Trail {
    /// Refuses what the types alone cannot.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |reason: String| Err(ConfigError::OutOfRange { key: "trail", reason });
        if !(5..=86_400).contains(&self.clock_jump_s) {
            return refuse("clock_jump_s is not within 5 to 86400".into());
        }
        let mut names: Vec<&str> = self.deliveries.iter().map(Delivery::name).collect();
        names.extend(self.checkpoints.iter().map(Keeper::name));
        for name in &names {
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !plain || !(1..=32).contains(&name.len()) {
                return refuse("a name has 1 to 32 lower-case letters, digits and hyphens".into());
            }
        }
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse(format!("two destinations are called {}", twice[0]));
        }
        let urls = self.deliveries.iter().filter_map(|delivery| match delivery {
            Delivery::Webhook(webhook) => Some(webhook.url.as_str()),
            _ => None,
        });
        let endpoints = self.checkpoints.iter().filter_map(|keeper| match keeper {
            Keeper::S3(s3) => Some(s3.endpoint.as_str()),
            _ => None,
        });
        for url in urls.chain(endpoints) {
            if crate::trail::https::Target::parse(url).is_none() {
                return refuse("a URL begins with https:// and names a host, without user or fragment".into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const WHOLE: &str = r#"
        [trail]
        source = "PACS1"
        [[trail.deliveries]]
        kind = "syslog"
        name = "arr"
        to = "arr.example:6514"
        tls = { ca = "/ca.pem", certificate = "/c.pem", key = "/k.pem" }
        message_id = "IHE+RFC-3881"
        [[trail.deliveries]]
        kind = "fhir-file"
        name = "fhir"
        folder = "/srv/fhir"
        [[trail.deliveries]]
        kind = "webhook"
        name = "pager"
        url = "https://pager.example/hook"
        tls = { ca = "/ca.pem" }
        secret_file = "/secret"
        [[trail.deliveries]]
        kind = "e-mail"
        name = "privacy"
        server = "mail.example:465"
        tls = { ca = "/ca.pem" }
        from = "pacs@example"
        to = "privacy@example"
        [[trail.checkpoints]]
        kind = "file"
        name = "witness"
        folder = "/mnt/witness"
        [[trail.checkpoints]]
        kind = "syslog"
        name = "checkpoints"
        to = "arr.example:6514"
        tls = { ca = "/ca.pem" }
        [[trail.checkpoints]]
        kind = "s3"
        name = "vault"
        endpoint = "https://s3.example"
        bucket = "witness"
        tls = { ca = "/ca.pem" }
        access_key_id = "id"
        secret_key_file = "/secret"
        [[trail.checkpoints]]
        kind = "e-mail"
        name = "officer"
        server = "mail.example:465"
        tls = { ca = "/ca.pem" }
        from = "pacs@example"
        to = "officer@example"
    "#;

    #[test]
    fn every_kind_of_destination_is_taken_and_nothing_unknown() {
        let config = Config::parse(WHOLE).unwrap();
        config.check().unwrap();
        assert_eq!((config.trail.deliveries.len(), config.trail.checkpoints.len()), (4, 4));
        for (was, becomes) in [
            ("https://pager", "http://pager"),
            ("https://s3.example", "https://user@s3.example"),
            ("name = \"fhir\"", "name = \"arr\""),
            ("name = \"arr\"", "name = \"../arr\""),
        ] {
            assert!(Config::parse(&WHOLE.replace(was, becomes)).unwrap().check().is_err(), "{becomes}");
        }
        for unknown in ["verify = false", "starttls = true", "insecure = true"] {
            assert!(Config::parse(&WHOLE.replace("source = \"PACS1\"", unknown)).is_err());
            assert!(Config::parse(&format!("{WHOLE}\n{unknown}")).is_err());
        }
        let switches = toml::Value::try_from(&config.trail).unwrap();
        fn has_switch(value: &toml::Value) -> bool {
            match value {
                toml::Value::Boolean(_) => true,
                toml::Value::Array(values) => values.iter().any(has_switch),
                toml::Value::Table(table) => table.values().any(has_switch),
                _ => false,
            }
        }
        assert!(!has_switch(&switches), "what weakens is not a boolean");
    }
}
