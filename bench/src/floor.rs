//! What the machine can do at all: append and fdatasync, bytes from memory over loopback TLS.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::{Args, ValueEnum};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::sample::summary;

/// The floor.
#[derive(Args)]
pub struct Floor {
    /// Which.
    #[arg(value_enum)]
    what: What,
    /// Folder on the file system to be measured.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Bytes of an append.
    #[arg(long, default_value_t = 525_000)]
    bytes: usize,
    /// Appends an fdatasync.
    #[arg(long, default_value_t = 1)]
    group: usize,
    /// How many appends, or megabytes for TLS.
    #[arg(long, default_value_t = 400)]
    count: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Append,
    Tls,
}

impl Floor {
    /// Measures it.
    pub async fn run(self) -> anyhow::Result<Value> {
        match self.what {
            What::Append => self.append(),
            What::Tls => self.tls().await,
        }
    }

    fn append(&self) -> anyhow::Result<Value> {
        let path = self.folder.join("floor.tmp");
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).open(&path).context("cannot write")?;
        let block: Vec<u8> = (0..self.bytes).map(|i| (i * 31 % 251) as u8).collect();
        // The space is there before, as a log's segment is.
        let zeros = vec![0; 1 << 20];
        for _ in 0..(self.bytes * self.count).div_ceil(1 << 20) {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        std::io::Seek::rewind(&mut file)?;
        let (started, mut latencies) = (Instant::now(), Vec::new());
        for _ in 0..self.count / self.group {
            let began = Instant::now();
            for _ in 0..self.group {
                file.write_all(&block)?;
            }
            file.sync_data()?;
            latencies.extend((0..self.group).map(|_| began.elapsed() / self.group as u32));
        }
        let result = summary(latencies, started.elapsed(), (self.bytes * self.count) as u64);
        std::fs::remove_file(path)?;
        Ok(result)
    }

    async fn tls(&self) -> anyhow::Result<Value> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()])?;
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let server =
            rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key)?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate)?;
        let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let megabytes = self.count;
        let sender = tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await?;
            let block = vec![7; 1_000_000];
            for _ in 0..megabytes {
                stream.write_all(&block).await?;
            }
            stream.shutdown().await
        });
        let stream = TcpStream::connect(address).await?;
        let mut stream =
            TlsConnector::from(Arc::new(client)).connect(ServerName::try_from("localhost")?, stream).await?;
        let (started, mut buffer, mut bytes) = (Instant::now(), vec![0; 256 * 1024], 0u64);
        loop {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
        }
        let seconds = started.elapsed().as_secs_f64();
        sender.await??;
        Ok(json!({ "seconds": seconds, "megabytes_per_second": bytes as f64 / 1e6 / seconds }))
    }
}
