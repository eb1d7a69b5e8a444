//! An estate of 2,300 systems on loopback addresses, as the scan of 2019 found the world: 590 of
//! them open. It answers as they would and holds no patient: counters are integers.
//!
//! `estate --dir DIR` writes DIR/scope.toml and DIR/manifest.json, says `ready`, and serves until
//! its standard input ends. What must come out of an audit of it is in the manifest.

mod dicom;
mod http;
mod plan;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use plan::{Endpoint, Kind};
use tokio::net::{TcpListener, TcpStream};

// Ports of the estate.
const DICOM: u16 = 11112;
const DICOM_TLS: u16 = 2762;
const ORTHANC: u16 = 8042;
const WEB: u16 = 8080;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let dir = directory();
    raise_descriptor_limit();
    let endpoints = plan::endpoints();
    std::fs::write(dir.join("scope.toml"), plan::scope_file(&endpoints))?;
    std::fs::write(dir.join("manifest.json"), plan::manifest(&endpoints))?;
    let identity = tls::identity().map_err(std::io::Error::other)?;
    for endpoint in endpoints {
        let endpoint = Arc::new(endpoint);
        for port in endpoint.kind.ports() {
            let listener = TcpListener::bind(SocketAddr::from((endpoint.address, *port))).await?;
            tokio::spawn(serve(listener, *port, endpoint.clone(), identity.clone()));
        }
    }
    println!("ready");
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    ended.await?.map(|_| ())
}

fn directory() -> PathBuf {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--dir"), Some(dir)) => dir.into(),
        _ => {
            eprintln!("usage: estate --dir DIR");
            std::process::exit(2);
        }
    }
}

async fn serve(listener: TcpListener, port: u16, endpoint: Arc<Endpoint>, identity: tls::Identity) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(converse(stream, port, endpoint.clone(), identity.clone()));
    }
}

async fn converse(stream: TcpStream, port: u16, endpoint: Arc<Endpoint>, identity: tls::Identity) {
    match (port, endpoint.kind) {
        (DICOM_TLS, _) => tls::demand_certificate(stream, identity).await,
        (DICOM, Kind::Orthanc) => dicom::serve_anyone(stream).await,
        (DICOM, Kind::CallingUnknown) => {
            dicom::reject(stream, leadglass_dimse::negotiation::Rejection::CallingAeNotRecognized).await
        }
        (DICOM, Kind::CalledUnknown) => {
            dicom::reject(stream, leadglass_dimse::negotiation::Rejection::CalledAeNotRecognized).await
        }
        (DICOM, _) => dicom::reject(stream, leadglass_dimse::negotiation::Rejection::TemporaryCongestion).await,
        _ => http::serve(stream, &endpoint).await,
    }
}

fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// The address of the endpoint with that number: 127.77.x.y.
fn address(number: u16) -> Ipv4Addr {
    let [high, low] = (number / 250 * 256 + number % 250 + 1).to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}
