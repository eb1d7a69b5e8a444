//! Targets that lie: each look ends, in a state, with nothing of theirs kept.

use std::time::Duration;

use crate::site::{answer, site};
use leadglass_exposure::catalogue::Depth;
use leadglass_exposure::net::Over;
use leadglass_exposure::probe::{product, web};
use leadglass_exposure::run::{Limits, Run};
use leadglass_exposure::scope::{CredentialOptIn, link::Link};
use leadglass_exposure::testing::{self, PLANTED};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

fn run() -> Run {
    let mut scope = testing::scope();
    scope.credentials = Some(CredentialOptIn { try_blank: true, try_default: false, lockout: 10 });
    let limits = Limits { conversation: Duration::from_millis(300), ..testing::run(testing::scope()).limits };
    Run { limits, ..testing::run(scope) }
}

/// Everything there is, and that nothing planted came out of it.
async fn look_at_all(port: u16) -> usize {
    let run = run();
    let url = Link::parse(&format!("http://127.0.0.1:{port}/images/")).unwrap();
    let started = Instant::now();
    let (known, outcomes) = testing::look(&run, port, Depth::Credentials, async |look| {
        web::greet(look, Over::Clear).await;
        web::greet(look, Over::Tls).await;
        web::audit(look).await;
        product::audit(look).await;
        web::audit_url(look, 0, &url).await;
        web::audit_link(look, 0, &url).await;
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    testing::assert_no_names(&outcomes);
    let debugged = format!("{known:?}");
    for name in PLANTED {
        assert!(!debugged.contains(name), "{name} is remembered");
    }
    outcomes.len()
}

fn planted() -> String {
    format!("{} \u{1b}[31m{}", PLANTED.join(" "), "\u{7}")
}

#[tokio::test]
async fn names_in_every_field_stay_there() {
    let names = planted();
    let plain = PLANTED.join(" ");
    for status in [200, 204, 206, 301, 302, 400, 401, 403, 404, 415, 429, 500, 999] {
        for kind in ["text/html", "application/dicom+json", "application/json", "image/PLANTED^JANE"] {
            let (names, plain) = (names.clone(), plain.clone());
            let (port, _) = site(move |asked| {
                let headers = format!(
                    "Content-Type: {kind}\r\nServer: nginx/{plain}\r\nX-Powered-By: PHP/{plain}\r\nLocation: https://{plain}/\r\n\
                     Set-Cookie: {plain}={plain}; Path={plain}\r\nWWW-Authenticate: Basic realm=\"{plain}\"\r\n\
                     Allow: GET, DELETE, {plain}\r\nAccess-Control-Allow-Origin: {plain}\r\nVia: {plain}\r\n\
                     Strict-Transport-Security: {plain}\r\nX-{}: {plain}\r\n",
                    "PLANTED-MRN-4711"
                );
                let body = match asked.path.as_str() {
                    "/system" => format!(
                        "{{\"Version\":\"{plain}\",\"DicomAet\":\"{plain}\",\"Name\":\"{plain}\",\"{plain}\":\"{plain}\"}}"
                    ),
                    "/statistics" => format!("{{\"CountStudies\":\"{plain}\",\"CountPatients\":\"{plain}\"}}"),
                    "/dcm4chee-arc/aets" => "[{\"dicomAETitle\":\"PLANTED^JANE\"},{\"dicomAETitle\":\"PLANTED\"}]".to_owned(),
                    path if path.contains("studies?") => format!("[{{\"00100010\":\"{plain}\"}}]"),
                    _ => format!(
                        "<title>Index of /{names}</title><h1>{names}</h1><a href=\"{plain}.dcm\">{names}</a>\
                         <a href=\"PLANTED%5EJANE.dcm\">x</a><a href=\"19601231.dcm\">x</a> orthanc explorer {names}"
                    ),
                };
                answer(status, &headers, if status == 204 { "" } else { &body })
            })
            .await;
            assert!(look_at_all(port).await > 0);
        }
    }
}

/// Serves each connection by a function that gets it after the request's head.
async fn raw<Served: Future<Output = std::io::Result<()>> + Send>(
    serve: impl Fn(TcpStream) -> Served + Copy + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut some = [0; 4096];
                if stream.read(&mut some).await? == 0 {
                    return Ok(());
                }
                serve(stream).await
            });
        }
    });
    port
}

#[tokio::test]
async fn a_body_without_end_is_left_early() {
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10737418240\r\n\r\n[",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n",
    ] {
        let port = raw(move |mut stream: TcpStream| async move {
            stream.write_all(head.as_bytes()).await?;
            let line = PLANTED.join(" ").repeat(1000);
            loop {
                stream.write_all(line.as_bytes()).await?;
            }
        })
        .await;
        assert!(look_at_all(port).await > 0);
    }
}

#[tokio::test]
async fn heads_without_end_are_no_answer() {
    for line in
        ["X-Name: PLANTED^JANE\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "X", "HTTP/1.1 103 PLANTED^JANE\r\nA: b\r\n\r\n"]
    {
        let port = raw(move |mut stream: TcpStream| async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream.write_all(line.repeat(100).as_bytes()).await?;
            }
        })
        .await;
        look_at_all(port).await;
    }
}

#[tokio::test]
async fn garbage_is_no_answer() {
    for garbage in [
        &b"\x00\x01\x02\xff\xfe"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZZ\r\nPLANTED^JANE",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nPLANTED^JANE",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nPLANTED",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nPLANTED^JANE",
        b"HTTP/1.1 99999 PLANTED^JANE\r\n\r\n",
        b"HTTP/1.1 200 \x1b[2JPLANTED^JANE\r\nServer: \x1b]0;PLANTED^JANE\x07\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/0.9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\nContent-Type: application/json\r\n\r\n\x1f\x8b\x08\x00",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: PLANTED^JANE\r\nConnection: upgrade\r\n\r\n",
        b"",
    ] {
        let port = raw(move |mut stream: TcpStream| async move { stream.write_all(garbage).await }).await;
        look_at_all(port).await;
    }
}

#[tokio::test]
async fn who_drips_or_says_nothing_is_left() {
    let port = raw(|mut stream: TcpStream| async move {
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nPLANTED^JANE".iter().cycle() {
            stream.write_all(&[*byte]).await?;
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    })
    .await;
    look_at_all(port).await;
    let port = raw(|mut stream: TcpStream| async move {
        let mut some = [0; 1];
        stream.read(&mut some).await.map(drop)
    })
    .await;
    look_at_all(port).await;
}

#[tokio::test]
async fn json_that_is_deep_or_odd_breaks_nothing() {
    let deep = "[".repeat(15_000);
    let (port, _) = site(move |asked| {
        let body = match asked.path.as_str() {
            "/system" => "{\"Version\":".to_owned() + &deep,
            "/statistics" => "{\"CountStudies\":1e400}".to_owned(),
            _ => "{\"a\":1,\"a\":2}".to_owned(),
        };
        answer(200, "Content-Type: application/json\r\n", &body)
    })
    .await;
    assert!(look_at_all(port).await > 0);
}
