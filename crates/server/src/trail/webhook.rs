//! Webhooks: JSON, signed so that the receiver knows who sent it and when.
//!
//! `Leadglass-Signature: t=SECONDS,v1=HEX`, where `v1` is HMAC-SHA-256 over `SECONDS.BODY`
//! under the shared secret. A receiver compares in constant time and refuses what is old.

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::Failed;
use super::https::{Target, send};
use crate::config::trail::Webhook;

/// The shortest secret.
const SHORTEST_SECRET: usize = 16;

/// Posts the body.
pub async fn post(webhook: &Webhook, body: Vec<u8>, now_s: i64) -> Result<(), Failed> {
    let secret = super::secret(&webhook.secret_file)?;
    if secret.len() < SHORTEST_SECRET {
        return Err(Failed::Configured("the secret of a webhook has at least 16 bytes"));
    }
    let target = Target::parse(&webhook.url).ok_or(Failed::Configured("url is no https URL"))?;
    let request = Request::post(&target.path)
        .header("host", &target.authority)
        .header("content-type", "application/json")
        .header("leadglass-signature", signature(secret.as_bytes(), now_s, &body))
        .body(Full::new(Bytes::from(body)));
    let request = request.map_err(|_| Failed::Configured("url cannot be requested"))?;
    send(&target, &webhook.tls, request).await
}

fn signature(secret: &[u8], now_s: i64, body: &[u8]) -> String {
    let signed = [format!("{now_s}.").as_bytes(), body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &signed);
    format!("t={now_s},v1={}", hex::encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_over_time_and_body() {
        // echo -n '1767225600.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let wanted = "t=1767225600,v1=99902517b3069f78750aa0520b0493482454c2d30a579c7acc839f3363ca1b88";
        assert_eq!(signature(b"0123456789abcdef", 1_767_225_600, b"{}"), wanted);
        assert_ne!(signature(b"0123456789abcdef", 1, b"{}"), signature(b"0123456789abcdef", 2, b"{}"));
    }
}
