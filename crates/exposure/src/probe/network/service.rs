//! The services that this family knows, and the ports where they are usual.

use crate::catalogue::network::{N_02, N_03, N_04, N_06, N_07, N_08};
use crate::catalogue::{Check, Depth, Name};

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// PostgreSQL.
    Postgresql,
    /// MySQL and MariaDB.
    Mysql,
    /// Microsoft SQL Server.
    Mssql,
    /// Redis and its kin.
    Redis,
    /// Elasticsearch and OpenSearch.
    Elasticsearch,
    /// MongoDB.
    Mongodb,
    /// A directory.
    Ldap,
    /// WildFly's management, under dcm4chee.
    Wildfly,
    /// HL7 version 2 over MLLP.
    Mllp,
    /// RFB (RFC 6143).
    Vnc,
    /// Remote Desktop.
    Rdp,
    /// Telnet (RFC 854).
    Telnet,
    /// FTP (RFC 959).
    Ftp,
    /// SSH (RFC 4253): recognised, and no finding.
    Ssh,
    /// NFS, its mount service, or the port mapper that leads to them.
    Nfs,
    /// SMB.
    Smb,
    /// An rsync daemon.
    Rsync,
    /// WebDAV (RFC 4918).
    Webdav,
    /// A store that speaks as S3 does.
    S3,
}

/// Each service with its name in scopes and reports and its usual ports.
const SERVICES: &[(Service, &str, &[u16])] = &[
    (Service::Postgresql, "postgresql", &[5432]),
    (Service::Mysql, "mysql", &[3306]),
    (Service::Mssql, "mssql", &[1433]),
    (Service::Redis, "redis", &[6379]),
    (Service::Elasticsearch, "elasticsearch", &[9200]),
    (Service::Mongodb, "mongodb", &[27017]),
    (Service::Ldap, "ldap", &[389, 636]),
    (Service::Wildfly, "wildfly", &[9990]),
    (Service::Mllp, "mllp", &[2575, 6661]),
    (Service::Vnc, "vnc", &[5900, 5901]),
    (Service::Rdp, "rdp", &[3389]),
    (Service::Telnet, "telnet", &[23]),
    (Service::Ftp, "ftp", &[21, 990]),
    (Service::Ssh, "ssh", &[22]),
    (Service::Nfs, "nfs", &[111, 2049, 20048]),
    (Service::Smb, "smb", &[445]),
    (Service::Rsync, "rsync", &[873]),
    (Service::Webdav, "webdav", &[]),
    (Service::S3, "s3", &[8333, 9000]),
];

impl Service {
    /// The service with this name.
    pub fn named(name: &str) -> Option<Service> {
        SERVICES.iter().find(|(_, known, _)| *known == name).map(|(service, ..)| *service)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Service> {
        SERVICES.iter().map(|(service, ..)| *service)
    }

    /// The service that is usual on a port.
    pub fn usual_on(port: u16) -> Option<Service> {
        SERVICES.iter().find(|(.., ports)| ports.contains(&port)).map(|(service, ..)| *service)
    }

    /// All ports on which one of them is usual.
    pub fn usual_ports() -> impl Iterator<Item = u16> {
        SERVICES.iter().flat_map(|(.., ports)| ports.iter().copied())
    }

    /// Its name in scopes and reports.
    pub fn name(self) -> Name {
        Name::fixed(SERVICES.iter().find(|(service, ..)| *service == self).map_or("unknown", |(_, name, _)| name))
    }

    /// The check that asks about it; none for what is only recognised.
    pub(super) fn check(self) -> Option<&'static Check> {
        Some(match self {
            Service::Postgresql
            | Service::Mysql
            | Service::Mssql
            | Service::Redis
            | Service::Elasticsearch
            | Service::Mongodb
            | Service::Ldap
            | Service::Wildfly => &N_02,
            Service::Mllp => &N_03,
            Service::Vnc | Service::Rdp | Service::Telnet | Service::Ftp => &N_04,
            Service::Nfs => &N_06,
            Service::Smb => &N_07,
            Service::Rsync | Service::Webdav | Service::S3 => &N_08,
            Service::Ssh => return None,
        })
    }

    /// How deep a look must go for the first bytes: a handshake, or a request.
    pub(super) fn depth(self) -> Depth {
        match self {
            Service::Redis
            | Service::Elasticsearch
            | Service::Mongodb
            | Service::Ldap
            | Service::Wildfly
            | Service::Nfs
            | Service::Rsync
            | Service::Webdav
            | Service::S3 => Depth::Canary,
            _ => Depth::Handshake,
        }
    }

    /// Whether it speaks HTTP underneath.
    pub(super) fn is_http(self) -> bool {
        matches!(self, Service::Elasticsearch | Service::Wildfly | Service::Webdav | Service::S3)
    }

    /// Whether it may be behind TLS from the first byte on.
    pub(super) fn may_be_behind_tls(self) -> bool {
        self.is_http() || matches!(self, Service::Redis | Service::Mongodb | Service::Ldap | Service::Ftp)
    }
}
