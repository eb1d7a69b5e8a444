//! HTTP as the estate's archives and portals speak it: integers, empty lists, and 401.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::plan::{Endpoint, Kind};

const NOT_FOUND: &str = "404 Not Found";
const OK: &str = "200 OK";

struct Answer {
    status: &'static str,
    media_type: &'static str,
    body: String,
}

/// Answers requests until the other end has had enough.
pub async fn serve(mut stream: TcpStream, endpoint: &Endpoint) {
    let mut buffer = Vec::new();
    while let Some(request) = next(&mut stream, &mut buffer).await {
        let answer = answer(&request, endpoint);
        let demand = if endpoint.kind == Kind::Password { "WWW-Authenticate: Basic realm=\"archive\"\r\n" } else { "" };
        let body = if request.starts_with("HEAD ") { "" } else { answer.body.as_str() };
        let text = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{demand}\r\n{body}",
            answer.status,
            answer.media_type,
            answer.body.len(),
        );
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The head of the next request; requests here have no body worth reading.
async fn next(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            return String::from_utf8(head).ok();
        }
        if buffer.len() > 16 * 1024 || stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn answer(request: &str, endpoint: &Endpoint) -> Answer {
    let target = request.split(' ').nth(1).unwrap_or("/");
    let path = target.split('?').next().unwrap_or("/");
    let method = request.split(' ').next().unwrap_or("GET");
    let known = match endpoint.kind {
        Kind::Password => return Answer { status: "401 Unauthorized", media_type: "text/plain", body: String::new() },
        Kind::Orthanc => orthanc(path, endpoint.studies),
        Kind::Dcm4chee => dcm4chee(path, endpoint.studies),
        Kind::Viewer if path == "/ohif/" => {
            Some(("text/html", "<html><head><title>OHIF Viewer</title></head></html>".into()))
        }
        Kind::Viewer => dcm4chee(path, endpoint.studies),
        Kind::Listing => listing(path),
        _ => None,
    };
    match known.filter(|_| matches!(method, "GET" | "HEAD")) {
        Some((media_type, body)) => Answer { status: OK, media_type, body },
        None => Answer { status: NOT_FOUND, media_type: "text/plain", body: String::new() },
    }
}

fn orthanc(path: &str, studies: u64) -> Option<(&'static str, String)> {
    let json = |value: serde_json::Value| Some(("application/json", value.to_string()));
    match path {
        "/system" => json(serde_json::json!({
            "ApiVersion": 18, "DicomAet": "ORTHANC", "DicomPort": 4242, "HttpPort": 8042, "Version": "1.10.1",
            "Name": "", "IsHttpServerSecure": true,
        })),
        "/statistics" => json(serde_json::json!({
            "CountPatients": studies, "CountStudies": studies, "CountSeries": studies * 3, "CountInstances": studies * 40,
        })),
        _ => None,
    }
}

fn dcm4chee(path: &str, studies: u64) -> Option<(&'static str, String)> {
    match path {
        "/dcm4chee-arc/aets" => Some(("application/json", r#"[{"dicomAETitle":"DCM4CHEE"}]"#.into())),
        "/dcm4chee-arc/aets/DCM4CHEE/rs/studies/count" => {
            Some(("application/json", format!("{{\"count\":{studies}}}")))
        }
        "/dcm4chee-arc/aets/DCM4CHEE/rs/studies" | "/dicom-web/studies" => {
            Some(("application/dicom+json", "[]".into()))
        }
        _ => None,
    }
}

fn listing(path: &str) -> Option<(&'static str, String)> {
    let rows: String = (0..40).map(|n| format!("<a href=\"IM{n:04}.dcm\">IM{n:04}.dcm</a>\n")).collect();
    let page =
        format!("<html><head><title>Index of /</title></head><body><h1>Index of /</h1><pre>{rows}</pre></body></html>");
    (path == "/").then_some(("text/html", page))
}
