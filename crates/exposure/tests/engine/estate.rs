//! A /24 of loopback with some hosts in it: services without log-in that put names into all
//! they say, hosts that say nothing, hosts that die.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use leadglass_exposure::probe::network::Service;
use leadglass_exposure::scope::range::RangeSet;
use leadglass_exposure::scope::{Pace, Scope};
use leadglass_exposure::testing;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Hosts of 127.88.`net`.0/24, two ports each.
pub struct Estate {
    pub scope: Scope,
    net: u8,
    ports: [u16; 2],
    servers: JoinSet<()>,
}

impl Estate {
    /// The first so many hosts answer on the first port as a database without log-in.
    pub async fn begin(net: u8, hosts: u8) -> Estate {
        let ports = [free_port().await, free_port().await];
        let mut scope = testing::scope();
        scope.firewall_exempt = true;
        scope.pace = Pace { hosts_at_once: 4, ..scope.pace };
        scope.assets[0].ports = ports.to_vec();
        scope.assets[0].services = vec![(ports[0], Service::Redis)];
        let mut estate = Estate { scope, net, ports, servers: JoinSet::new() };
        estate.scope.assets[0].addresses = estate.range(0, 255);
        for host in 1..=hosts {
            let listener = estate.listen(host).await;
            estate.servers.spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(open_store(stream));
                }
            });
        }
        estate
    }

    /// A host that takes connections and never says a word.
    pub async fn silent(&mut self, host: u8) {
        let listener = self.listen(host).await;
        self.servers.spawn(async move {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                kept.push(stream);
            }
        });
    }

    /// A host that takes connections, holds them, and never says a word. Of each the first byte
    /// that came, or none when it ended without.
    pub async fn holding(host: IpAddr, port: u16) -> Arc<Mutex<Vec<Option<u8>>>> {
        let listener = TcpListener::bind((host, port)).await.unwrap();
        let heard: Arc<Mutex<Vec<Option<u8>>>> = Arc::default();
        let firsts = heard.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut first = [0];
                let read = stream.read(&mut first).await.unwrap_or(0);
                firsts.lock().unwrap().push((read == 1).then_some(first[0]));
                tokio::spawn(async move { while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {} });
            }
        });
        heard
    }

    /// A host that takes so many connections and is gone.
    pub async fn dies_after(&mut self, host: u8, connections: usize) {
        let listener = self.listen(host).await;
        self.servers.spawn(async move {
            for _ in 0..connections {
                listener.accept().await.ok();
            }
        });
    }

    pub fn host(&self, host: u8) -> IpAddr {
        IpAddr::from([127, 88, self.net, host])
    }

    pub fn endpoint(&self, host: u8) -> SocketAddr {
        SocketAddr::new(self.host(host), self.ports[0])
    }

    pub fn range(&self, from: u8, to: u8) -> RangeSet {
        RangeSet::new([(self.host(from), self.host(to))])
    }

    async fn listen(&self, host: u8) -> TcpListener {
        TcpListener::bind(self.endpoint(host)).await.unwrap()
    }
}

/// A port that is free on all of loopback, most likely.
async fn free_port() -> u16 {
    TcpListener::bind((testing::LOOPBACK, 0)).await.unwrap().local_addr().unwrap().port()
}

/// Redis without a password, with names wherever there is room.
async fn open_store(mut stream: TcpStream) {
    let mut asked = [0; 512];
    while let Ok(read) = stream.read(&mut asked).await {
        let said: &[u8] = match &asked[..read] {
            [] => return,
            ping if ping.to_ascii_uppercase().windows(4).any(|word| word == b"PING") => b"+PONG\r\n",
            _ => b"-ERR PLANTED^JANE PLANTED-MRN-4711 19601231 Planted Clinic\r\n",
        };
        if stream.write_all(said).await.is_err() {
            return;
        }
    }
}
