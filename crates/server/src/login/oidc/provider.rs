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
/// How often keys are fetched at most, whatever tokens name: so many times in so long.
const KEYS_MOST: usize = 4;
const KEYS_WITHIN: Duration = Duration::from_secs(120);

/// A provider.
pub(super) struct Provider {
    configured: Oidc,
    secret: Option<Zeroizing<String>>,
    fetch: Fetch,
    discovered: Mutex<Option<(SystemTime, Endpoints)>>,
    keys_fetched: Mutex<Vec<SystemTime>>,
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
            discovered: Mutex::default(),
            keys_fetched: Mutex::default(),
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
        let known = self.discovered.lock().clone();
        if let Some((since, endpoints)) = known
            && now.duration_since(since).is_ok_and(|age| age < DISCOVERED)
        {
            return Ok(endpoints);
        }
        let address = format!("{}/.well-known/openid-configuration", self.configured.issuer.trim_end_matches('/'));
        let endpoints: Endpoints =
            serde_json::from_slice(&self.fetch.get(&address).await?).map_err(|_| FetchError::Content)?;
        let browser_goes_there = endpoints.authorization_endpoint.starts_with("https://");
        if endpoints.issuer != self.configured.issuer || !browser_goes_there {
            return Err(FetchError::Content);
        }
        *self.discovered.lock() = Some((now, endpoints.clone()));
        Ok(endpoints)
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
        KeySet::parse(&keys).map(Some).map_err(|_| FetchError::Content)
    }
}
