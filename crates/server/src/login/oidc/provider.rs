//! One identity provider: where it answers, what it signs with.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leadglass_archive::access::jwt::KeySet;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::fetch::{Fetch, FetchError};
use super::{form, percent};
use crate::config::oidc::Oidc;

/// How long it is believed where a provider answers.
const DISCOVERED: Duration = Duration::from_secs(3600);
/// How long it is not asked again that did not answer.
const FAILED: Duration = Duration::from_secs(5);
/// How old keys may be before they are fetched anew, and before they are believed no longer.
const KEYS_FRESH: Duration = Duration::from_secs(3600);
const KEYS_OVER: Duration = Duration::from_secs(24 * 3600);
/// How often keys are fetched at most, whatever tokens name: so many times in so long.
const KEYS_MOST: usize = 4;
const KEYS_WITHIN: Duration = Duration::from_secs(120);

/// A provider.
pub(super) struct Provider {
    configured: Oidc,
    secret: Option<Zeroizing<String>>,
    fetch: Fetch,
    /// Held while it is asked: once, however many want to know.
    discovered: tokio::sync::Mutex<Option<(SystemTime, Option<Endpoints>)>>,
    keys_fetched: Mutex<Vec<SystemTime>>,
    /// When keys came last.
    keys_since: Mutex<Option<SystemTime>>,
}

/// How old the keys are that were fetched last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeysAge {
    /// There are none.
    None,
    /// Good.
    Fresh,
    /// To be fetched anew.
    Due,
    /// Not to be believed without that.
    Over,
}

impl KeysAge {
    fn of(since: Option<SystemTime>, now: SystemTime) -> KeysAge {
        // A clock that went back makes nothing fresh.
        match since.map(|since| now.duration_since(since).unwrap_or(KEYS_FRESH)) {
            None => KeysAge::None,
            Some(age) if age < KEYS_FRESH => KeysAge::Fresh,
            Some(age) if age < KEYS_OVER => KeysAge::Due,
            Some(_) => KeysAge::Over,
        }
    }
}

/// Where it answers (OpenID Connect Discovery 3).
#[derive(Clone, serde::Deserialize)]
pub(super) struct Endpoints {
    issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(serde::Deserialize)]
struct Tokens {
    id_token: String,
}

impl Provider {
    /// As configured.
    pub(super) fn of(configured: &Oidc) -> Result<Provider, std::io::Error> {
        let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).map(|text| text.trim().to_owned().into());
        let authority = configured.issuer.trim_start_matches("https://").split('/').next().unwrap_or_default();
        let hosts = configured.hosts.iter().cloned().chain([authority.to_owned()]).collect();
        Ok(Provider {
            secret: configured.client_secret_file.as_ref().map(read).transpose()?,
            fetch: Fetch::new(configured.ca.as_deref(), hosts)?,
            configured: configured.clone(),
            discovered: tokio::sync::Mutex::default(),
            keys_fetched: Mutex::default(),
            keys_since: Mutex::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.configured.name
    }

    pub(super) fn issuer(&self) -> &str {
        &self.configured.issuer
    }

    pub(super) fn client_id(&self) -> &str {
        &self.configured.client_id
    }

    pub(super) fn scope(&self) -> String {
        ["openid"].into_iter().chain(self.configured.scopes.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }

    /// Where it answers: asked once an hour.
    pub(super) async fn discovered(&self, now: SystemTime) -> Result<Endpoints, FetchError> {
        let mut known = self.discovered.lock().await;
        let within = |since: SystemTime, longest| now.duration_since(since).is_ok_and(|age| age < longest);
        match &*known {
            Some((since, Some(endpoints))) if within(*since, DISCOVERED) => return Ok(endpoints.clone()),
            Some((since, None)) if within(*since, FAILED) => return Err(FetchError::Lately),
            _ => {}
        }
        let address = format!("{}/.well-known/openid-configuration", self.configured.issuer.trim_end_matches('/'));
        let answer = self.fetch.get(&address).await;
        let endpoints = answer.and_then(|answer| Endpoints::of(&answer, &self.configured.issuer));
        *known = Some((now, endpoints.as_ref().ok().cloned()));
        endpoints
    }

    /// The ID token for a code.
    pub(super) async fn exchange(
        &self,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
        now: SystemTime,
    ) -> Result<String, FetchError> {
        let at = self.discovered(now).await?;
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let authorization = self.secret.as_ref().map(|secret| {
            // RFC 6749 2.3.1: both are encoded as form values first.
            let pair = Zeroizing::new(format!("{}:{}", percent(self.client_id()), percent(secret)));
            format!("Basic {}", STANDARD.encode(pair.as_bytes()))
        });
        if authorization.is_none() {
            parameters.push(("client_id", self.client_id()));
        }
        let answer = self.fetch.post(&at.token_endpoint, authorization.as_deref(), form(&parameters)).await?;
        let tokens: Tokens = serde_json::from_slice(&answer).map_err(|_| FetchError::Content)?;
        Ok(tokens.id_token)
    }

    /// The keys it signs with now, unless they were fetched a moment ago.
    pub(super) async fn keys(&self, now: SystemTime) -> Result<Option<KeySet>, FetchError> {
        {
            let mut fetched = self.keys_fetched.lock();
            fetched.retain(|at| now.duration_since(*at).is_ok_and(|age| age < KEYS_WITHIN));
            if fetched.len() >= KEYS_MOST {
                return Ok(None);
            }
            fetched.push(now);
        }
        let at = self.discovered(now).await?;
        let keys = self.fetch.get(&at.jwks_uri).await?;
        let keys = KeySet::parse(&keys).map_err(|_| FetchError::Content)?;
        *self.keys_since.lock() = Some(now);
        Ok(Some(keys))
    }

    /// How old those are that were fetched last.
    pub(super) fn keys_age(&self, now: SystemTime) -> KeysAge {
        KeysAge::of(*self.keys_since.lock(), now)
    }
}

impl Endpoints {
    /// What the issuer says of itself, when it is that issuer (OpenID Connect Discovery 4.3:
    /// exactly) and browsers go there by HTTPS.
    fn of(answer: &[u8], issuer: &str) -> Result<Endpoints, FetchError> {
        let endpoints: Endpoints = serde_json::from_slice(answer).map_err(|_| FetchError::Content)?;
        let browser_goes_there = endpoints.authorization_endpoint.starts_with("https://");
        if endpoints.issuer == issuer && browser_goes_there { Ok(endpoints) } else { Err(FetchError::Content) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(issuer: &str, authorization: &str) -> Vec<u8> {
        let said = serde_json::json!({ "issuer": issuer, "authorization_endpoint": authorization,
            "token_endpoint": "https://idp.example/token", "jwks_uri": "https://idp.example/keys" });
        said.to_string().into_bytes()
    }

    #[test]
    fn metadata_of_another_issuer_are_refused() {
        let issuer = "https://idp.example/realm";
        assert!(Endpoints::of(&said(issuer, "https://idp.example/auth"), issuer).is_ok());
        for other in [
            "https://idp.example/realm/",
            "https://idp.example",
            "https://IDP.example/realm",
            "https://idp.example/realm2",
            "https://evil.example/realm",
            "",
        ] {
            assert!(Endpoints::of(&said(other, "https://idp.example/auth"), issuer).is_err(), "{other}");
        }
        assert!(Endpoints::of(&said(issuer, "http://idp.example/auth"), issuer).is_err());
        assert!(Endpoints::of(b"{}", issuer).is_err());
    }

    #[test]
    fn keys_are_fetched_anew_each_hour_and_believed_for_a_day() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let after = |age| KeysAge::of(Some(now), now + age);
        assert_eq!(KeysAge::of(None, now), KeysAge::None);
        assert_eq!(after(KEYS_FRESH - Duration::from_secs(1)), KeysAge::Fresh);
        assert_eq!((after(KEYS_FRESH), after(KEYS_OVER)), (KeysAge::Due, KeysAge::Over));
        assert_eq!(KeysAge::of(Some(now + KEYS_OVER), now), KeysAge::Due, "a clock that went back");
    }

    #[tokio::test]
    async fn who_does_not_answer_is_not_asked_again_at_once() {
        // A listener that counts who comes and answers nobody.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = asked.clone();
        std::thread::spawn(move || {
            for visitor in listener.incoming() {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                drop(visitor);
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        let made = rcgen::generate_simple_self_signed(["idp.example".to_owned()]).unwrap();
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let text = format!(
            "[[oidc]]\nname = \"idp\"\nissuer = \"{issuer}\"\nclient_id = \"us\"\nca = {ca:?}\n             [[oidc.rules]]\ngroup = \"g\"\nrole = \"viewer\"\n"
        );
        let config = crate::Config::parse(&text).unwrap();
        let provider = Provider::of(&config.oidc[0]).unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let many = futures::future::join_all((0..50).map(|_| provider.discovered(now))).await;
        assert!(many.iter().all(Result::is_err));
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
        assert!(provider.discovered(now + FAILED).await.is_err());
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
    }
}
