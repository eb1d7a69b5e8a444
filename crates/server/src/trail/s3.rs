//! S3: one object written, signed with AWS Signature Version 4, locked until its retention ends.

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use time::OffsetDateTime;
use time::macros::format_description;

use super::Failed;
use super::https::{Target, send};
use crate::config::trail::S3;

/// Writes the object of that name once; nobody can remove it for `retention_days`.
pub async fn put(s3: &S3, name: &str, body: Vec<u8>, now: OffsetDateTime) -> Result<(), Failed> {
    let secret = super::secret(&s3.secret_key_file)?;
    let endpoint = Target::parse(&s3.endpoint).ok_or(Failed::Configured("endpoint is no https URL"))?;
    let path = format!("/{}/{}{}", encoded(&s3.bucket, false), encoded(&s3.prefix, true), encoded(name, true));
    let target = Target { path, ..endpoint };
    let retain_until = now + time::Duration::days(s3.retention_days.into());
    let until = retain_until.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"));
    let until = until.map_err(|_| Failed::Configured("retention_days"))?;
    let headers = [
        ("content-type", "text/plain; charset=utf-8".to_owned()),
        ("x-amz-object-lock-mode", "COMPLIANCE".to_owned()),
        ("x-amz-object-lock-retain-until-date", until),
    ];
    let signed = Signing { key_id: &s3.access_key_id, secret: &secret, region: &s3.region, now }
        .put(&target, &headers, &body)
        .ok_or(Failed::Configured("a name or key of S3"))?;
    send(&target, &s3.tls, signed).await
}

/// What a request is signed with.
struct Signing<'a> {
    key_id: &'a str,
    secret: &'a str,
    region: &'a str,
    now: OffsetDateTime,
}

impl Signing<'_> {
    /// A PUT of that body, signed.
    fn put(&self, target: &Target, headers: &[(&'static str, String)], body: &[u8]) -> Option<Request<Full<Bytes>>> {
        let day = self.now.format(format_description!("[year][month][day]")).ok()?;
        let moment = self.now.format(format_description!("[year][month][day]T[hour][minute][second]Z")).ok()?;
        let content = hex::encode(sha256(body));
        let mut headers: Vec<(&str, String)> = headers.to_vec();
        headers.push(("host", target.authority.clone()));
        headers.push(("x-amz-content-sha256", content.clone()));
        headers.push(("x-amz-date", moment.clone()));
        headers.sort_unstable_by_key(|(name, _)| *name);
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let canonical: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let request = format!("PUT\n{}\n\n{canonical}\n{names}\n{content}", target.path);
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex::encode(sha256(request.as_bytes())));
        let key = [day.as_str(), self.region, "s3", "aws4_request"]
            .into_iter()
            .fold(format!("AWS4{}", self.secret).into_bytes(), |key, step| sign(&key, step));
        let signature = hex::encode(sign(&key, &text));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.key_id
        );
        let mut builder = Request::put(&target.path).header("authorization", authorization);
        for (name, value) in &headers {
            builder = builder.header(*name, value);
        }
        builder.body(Full::new(Bytes::copy_from_slice(body))).ok()
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// As a path has it: all but unreserved characters in per cent, slashes kept where wanted.
fn encoded(text: &str, slashes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if slashes => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// The example "PUT Object" of Amazon's description of Signature Version 4.
    #[test]
    fn the_published_example_has_the_published_signature() {
        let target = Target {
            to: String::new(),
            authority: "examplebucket.s3.amazonaws.com".into(),
            path: "/test%24file.text".into(),
        };
        let signing = Signing {
            key_id: "AKIAIOSFODNN7EXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            now: datetime!(2013-05-24 0:00 UTC),
        };
        let headers = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT".to_owned()),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY".to_owned()),
        ];
        let request = signing.put(&target, &headers, b"Welcome to Amazon S3.").unwrap();
        let authorization = request.headers()["authorization"].to_str().unwrap();
        let wanted = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        assert!(authorization.ends_with(wanted), "{authorization}");
        assert_eq!(encoded("a b/c$", true), "a%20b/c%24");
    }
}
