//! Login through the bank's OpenID provider: authorization code with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 7636).
//!
//! The provider tells who somebody is and in which groups; groups give roles and scope, as the settings say. What is kept
//! between leaving for the provider and coming back is one random seed in a cookie: state, nonce and verifier are derived
//! from it, so nothing waits on the server for those who never return.
//!
//! Signatures are checked by a library; the claims here, each with its type and none of them optional in silence.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Auth, Peer, Principal, Scope, check_name, hex, principal_of, wrong_credentials};
use crate::catalog::{UserRow, random_hex};
use crate::clock::Clock;
use crate::config::{OidcConfig, is_private};
use crate::error::{Code, Error, Result};
use crate::model::Diagnostic;

/// Signatures that count. Those with a shared secret are not among them: whoever knows a client's secret could sign.
const SIGNED: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];
/// Clocks may differ by this.
const LEEWAY: i64 = 60;
/// A login must come back within this.
const SEED_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// What the provider says of itself is asked for again after this.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(1);
/// Its keys are asked for again when it signs with an unknown one, but not more often than this.
const KEYS_AGAIN: SignedDuration = SignedDuration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const LARGEST: usize = 1 << 20;

/// An OpenID provider, as the settings name it.
pub struct Provider {
    config: OidcConfig,
    secret: Option<String>,
    key: [u8; 32],
    http: reqwest::Client,
    clock: Clock,
    known: Mutex<Option<Known>>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("issuer", &*self.config.issuer).finish_non_exhaustive()
    }
}

/// What it says of itself.
#[derive(Clone)]
struct Known {
    at: Timestamp,
    metadata: Arc<Metadata>,
    keys: Arc<JwkSet>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    /// It names itself when it sends a browser back (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

/// Claims of an ID token that decide.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: String,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Somebody whom the provider vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Issuer and subject: never changes, never given to another.
    subject: String,
    name: String,
    groups: BTreeSet<String>,
}

/// Where to send a browser, and what it must bring back.
#[derive(Debug)]
pub struct Departure {
    /// At the provider.
    pub url: Url,
    /// For a cookie of the browser.
    pub seed: String,
}

/// What a browser brings back.
#[derive(Debug)]
pub struct Arrival<'a> {
    /// From its cookie.
    pub seed: &'a str,
    /// From the provider's redirect.
    pub state: &'a str,
    /// From the provider's redirect.
    pub code: &'a str,
    /// From the provider's redirect, where it names itself.
    pub issuer: Option<&'a str>,
}

impl Provider {
    /// As the settings say; the secret of the client is read from the state folder, where nobody else can.
    ///
    /// Errors: `DEFINITION` for an issuer or scope that is none, and for a secret that is short or open to others; `INTERNAL`
    /// for a file that cannot be read.
    pub fn open(config: &OidcConfig, state: &Path, auth: &Auth) -> Result<Self> {
        let faults = faults(config);
        if !faults.is_empty() {
            return Err(Error::definition(faults));
        }
        let secret = config.client_secret_file.as_ref().map(|file| read_secret(&state.join(file))).transpose()?;
        let mut http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("countinghouse/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &config.ca {
            let refused =
                |cause| Error::internal(format!("`auth.oidc.ca`, {}, cannot be used.", file.display()), cause);
            let pem = std::fs::read(file).map_err(|cause| refused(cause.to_string()))?;
            let authorities =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|cause| refused(cause.to_string()))?;
            http = http.tls_certs_merge(authorities);
        }
        let http = http.build().map_err(|cause| Error::internal("The login provider cannot be called.", cause))?;
        let key = auth.derive_key("openid connect");
        Ok(Self { config: config.clone(), secret, key, http, clock: auth.clock.clone(), known: Mutex::default() })
    }

    /// What people know it as.
    pub fn config(&self) -> &OidcConfig {
        &self.config
    }

    /// Sends somebody to the provider, who will come back to `redirect` with `kept` as it was.
    ///
    /// Errors: `PROVIDER`.
    pub async fn depart(&self, redirect: &str, kept: &str) -> Result<Departure> {
        let known = self.known(false).await?;
        let seed = format!("{}-{}.{kept}", self.clock.now().as_second(), random_hex(32)?);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(self.derive("verifier", &seed)));
        let mut url = known.metadata.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", &self.config.scopes.join(" "))
            .append_pair("state", &self.derive("state", &seed))
            .append_pair("nonce", &self.derive("nonce", &seed))
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(Departure { url, seed })
    }

    /// Who came back.
    ///
    /// Errors: `TOKEN` when what was brought does not belong together, is late, or the provider's word does not hold;
    /// `PROVIDER`.
    pub async fn arrive(&self, arrival: &Arrival<'_>, redirect: &str) -> Result<Identity> {
        let Arrival { seed, state, code, issuer } = *arrival;
        use subtle::ConstantTimeEq as _;
        let left = seed.split_once('-').and_then(|(at, _)| Timestamp::from_second(at.parse().ok()?).ok());
        let in_time = left.is_some_and(|at| at <= self.clock.now() && self.clock.now() < at + SEED_LIFE);
        let same: bool = self.derive("state", seed).as_bytes().ct_eq(state.as_bytes()).into();
        if !in_time || !same {
            return Err(wrong_credentials().caused_by("state and cookie do not belong together, or are late"));
        }
        let known = self.known(false).await?;
        let promised = known.metadata.authorization_response_iss_parameter_supported;
        if issuer.map_or(promised, |issuer| issuer != *self.config.issuer) {
            return Err(wrong_credentials().caused_by("another provider sent the browser back"));
        }
        let tokens = self.exchange(&known.metadata, code, &self.derive("verifier", seed), redirect).await?;
        let claims = self.verified(known, &tokens.id_token).await?;
        let now = self.clock.now().as_second();
        let faults = [
            ("iss", claims.iss != *self.config.issuer),
            ("aud", !claims.aud.is(&self.config.client_id)),
            ("azp", claims.azp.as_ref().is_some_and(|azp| *azp != self.config.client_id)),
            ("exp", claims.exp + LEEWAY <= now),
            ("iat", claims.iat - LEEWAY > now),
            ("nbf", claims.nbf.is_some_and(|nbf| nbf - LEEWAY > now)),
            ("nonce", claims.nonce != self.derive("nonce", seed)),
            ("sub", claims.sub.is_empty() || claims.sub.len() > 255),
        ];
        if let Some((name, _)) = faults.iter().find(|(_, wrong)| *wrong) {
            return Err(wrong_credentials().caused_by(format!("the claim `{name}` of an ID token does not hold")));
        }
        self.identity(claims, tokens.access_token).await
    }

    /// Name and groups: of the token, or where it is silent of the provider's answer about the user.
    async fn identity(&self, claims: Claims, access_token: Option<String>) -> Result<Identity> {
        let mut others = claims.others;
        let wanted = [&self.config.name_claim, &self.config.groups_claim];
        if wanted.iter().any(|claim| !others.contains_key(claim.as_str())) {
            let endpoint = self.known(false).await?.metadata.userinfo_endpoint.clone();
            if let (Some(endpoint), Some(token)) = (endpoint, access_token) {
                let more: Map<String, Value> = self.json(self.http.get(endpoint).bearer_auth(token)).await?;
                if more.get("sub").and_then(Value::as_str) != Some(&claims.sub) {
                    return Err(wrong_credentials().caused_by("the provider told of another user"));
                }
                for (name, value) in more {
                    others.entry(name).or_insert(value);
                }
            }
        }
        let name = others.get(&self.config.name_claim).and_then(Value::as_str).unwrap_or_default().to_owned();
        let groups = match others.get(&self.config.groups_claim) {
            Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(group)) => [group.clone()].into(),
            _ => BTreeSet::new(),
        };
        Ok(Identity { subject: format!("{} {}", claims.iss, claims.sub), name, groups })
    }

    async fn exchange(&self, metadata: &Metadata, code: &str, verifier: &str, redirect: &str) -> Result<Tokens> {
        let (status, body) = self.send(self.exchanging(metadata, code, verifier, redirect)).await?;
        match status.as_u16() {
            200 => read(&body),
            // A code that was used, is late or another's: the browser's doing, not the provider's.
            400 | 401 => {
                Err(wrong_credentials().caused_by(format!("the provider refused a code with status {status}")))
            }
            _ => Err(failed(format!("status {status} of the token endpoint"))),
        }
    }

    /// The request that changes a code into tokens.
    fn exchanging(&self, metadata: &Metadata, code: &str, verifier: &str, redirect: &str) -> reqwest::RequestBuilder {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect)
            .append_pair("code_verifier", verifier);
        let mut request = self.http.post(metadata.token_endpoint.clone());
        let methods = &metadata.token_endpoint_auth_methods_supported;
        match &self.secret {
            // Basic is what a provider that names none must take.
            Some(secret) if methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic") => {
                // A space as `%20`, which those who read it as a form and those who do not both understand.
                let word = |text: &str| {
                    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
                };
                request = request.basic_auth(word(&self.config.client_id), Some(word(secret)));
            }
            Some(secret) => {
                form.append_pair("client_id", &self.config.client_id).append_pair("client_secret", secret);
            }
            None => {
                form.append_pair("client_id", &self.config.client_id);
            }
        }
        request.header("content-type", "application/x-www-form-urlencoded").body(form.finish())
    }

    /// The claims of a token that the provider signed.
    async fn verified(&self, mut known: Known, token: &str) -> Result<Claims> {
        let broken = |cause: String| wrong_credentials().caused_by(cause);
        let header = jsonwebtoken::decode_header(token).map_err(|e| broken(e.to_string()))?;
        let raw = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
        let raw: Map<String, Value> = serde_json::from_slice(&raw).map_err(|e| broken(e.to_string()))?;
        if raw.contains_key("crit") {
            return Err(broken("an ID token asks for an extension".to_owned()));
        }
        if !SIGNED.contains(&header.alg) {
            return Err(broken(format!("an ID token is signed by {:?}", header.alg)));
        }
        let find = |keys: &JwkSet| match &header.kid {
            Some(kid) => keys.find(kid).cloned(),
            None if keys.keys.len() == 1 => keys.keys.first().cloned(),
            None => None,
        };
        if find(&known.keys).is_none() && known.at + KEYS_AGAIN <= self.clock.now() {
            known = self.known(true).await?;
        }
        let jwk = find(&known.keys).ok_or_else(|| broken("an ID token is signed with an unknown key".to_owned()))?;
        let key = DecodingKey::from_jwk(&jwk).map_err(|e| broken(e.to_string()))?;
        let mut validation = Validation::new(header.alg);
        // Of the library the signature; every claim is looked at by us.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let read = jsonwebtoken::decode::<Claims>(token, &key, &validation);
        read.map(|data| data.claims).map_err(|e| broken(e.to_string()))
    }

    async fn known(&self, again: bool) -> Result<Known> {
        let now = self.clock.now();
        let kept = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = kept.filter(|known| !again && known.at + KNOWN_FOR > now) {
            return Ok(known);
        }
        let url = format!("{}/.well-known/openid-configuration", self.config.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.json(self.http.get(url)).await?;
        if metadata.issuer != *self.config.issuer {
            return Err(failed(format!("it calls itself `{}`", metadata.issuer)));
        }
        let ends = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
        if let Some(end) = ends.into_iter().chain(&metadata.userinfo_endpoint).find(|end| !is_private(end)) {
            return Err(failed(format!("`{end}` is not encrypted")));
        }
        let keys: JwkSet = self.json(self.http.get(metadata.jwks_uri.clone())).await?;
        let known = Known { at: now, metadata: Arc::new(metadata), keys: Arc::new(keys) };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        match self.send(request).await? {
            (status, body) if status.is_success() => read(&body),
            (status, _) => Err(failed(format!("status {status}"))),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(reqwest::StatusCode, Vec<u8>)> {
        let gone = |error: reqwest::Error| failed(error.without_url().to_string());
        let mut response = request.send().await.map_err(gone)?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(gone)? {
            if body.len() + piece.len() > LARGEST {
                return Err(failed("its answer is too large".to_owned()));
            }
            body.extend_from_slice(&piece);
        }
        Ok((response.status(), body))
    }

    /// One value of a departure, from its seed. Both hashed parts have a fixed length.
    fn derive(&self, purpose: &str, seed: &str) -> String {
        let part = Sha256::digest(format!("{purpose} {seed}").as_bytes());
        hex(&Sha256::new().chain_update(self.key).chain_update(part).finalize())
    }
}

impl Audience {
    /// Whether a token is for this client and nobody else: what it shares with another, the other could show here.
    fn is(&self, client: &str) -> bool {
        match self {
            Self::One(one) => one == client,
            Self::Several(all) => !all.is_empty() && all.iter().all(|one| one == client),
        }
    }
}

impl Auth {
    /// Logs in whom the provider vouches for. Roles and scope are those of the first group in the settings that the user is
    /// in, at each login anew; a login that does not exist yet is made.
    ///
    /// Errors: `DENIED` without such a group; `CONFLICT` when a login of another kind has the name; `TOKEN` when disabled.
    pub async fn login_identity(&self, identity: &Identity, config: &OidcConfig, peer: Peer) -> Result<Principal> {
        let Some(group) = config.groups.iter().find(|group| identity.groups.contains(&group.group)) else {
            // Whoever had rights by a group has none without it: what was opened then ends.
            if let Some(user) = self.catalog.user_of_subject(&identity.subject).await? {
                let before = json!({"roles": user.roles, "scope": user.scope});
                self.catalog.update_rights(&user.name, &[], &user.scope).await?;
                self.catalog.delete_sessions_of(&user.name).await?;
                let detail = json!({"by": "oidc", "group": null, "before": before, "after": {"roles": []}});
                self.catalog.audit("user_changed", &user.name, detail).await?;
            }
            self.catalog.audit("login_failed", &identity.name, peer.to_json("oidc")).await?;
            let message =
                "You are known to the bank's login, but none of your groups has rights here; ask an administrator.";
            return Err(Error::new(Code::Denied, message));
        };
        let roles: Vec<String> = group.roles.iter().cloned().collect();
        let scope = group.scope.parse::<Scope>()?.to_string();
        let user = match self.catalog.user_of_subject(&identity.subject).await? {
            Some(user) if user.disabled => {
                return Err(self.refused(&user.name, peer, peer.to_json("oidc")).await);
            }
            Some(user) if user.roles == roles && user.scope == scope => user,
            Some(user) => {
                let before = json!({"roles": user.roles, "scope": user.scope});
                let user = UserRow { roles, scope, ..user };
                self.catalog.update_rights(&user.name, &user.roles, &user.scope).await?;
                let after = json!({"roles": user.roles, "scope": user.scope});
                let detail = json!({"by": "oidc", "group": group.group, "before": before, "after": after});
                self.catalog.audit("user_changed", &user.name, detail).await?;
                user
            }
            None => {
                check_name(&identity.name)?;
                let user = UserRow {
                    name: identity.name.clone(),
                    password_hash: None,
                    roles,
                    scope,
                    disabled: false,
                    subject: Some(identity.subject.clone()),
                    email: None,
                    created_at: self.clock.now(),
                };
                self.catalog.insert_user(&user).await?;
                let detail = json!({"by": "oidc", "group": group.group, "roles": user.roles, "scope": user.scope});
                self.catalog.audit("user_created", &user.name, detail).await?;
                user
            }
        };
        self.catalog.audit("login", &user.name, peer.to_json("oidc")).await?;
        principal_of(user, peer.address)
    }
}

/// What is wrong with the settings, besides their form.
pub fn faults(config: &OidcConfig) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for group in &config.groups {
        if let Err(error) = group.scope.parse::<Scope>() {
            faults.push(Diagnostic::new(&group.scope.place, error.message()));
        }
    }
    faults
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| failed(format!("its answer cannot be read: {error}")))
}

/// What goes wrong with the provider is for the log; a user can only try again.
fn failed(cause: String) -> Error {
    Error::new(Code::Provider, "The bank's login service does not answer as it should; try again in a moment.")
        .caused_by(cause)
}

fn read_secret(file: &Path) -> Result<String> {
    let wrong = |what: &str| {
        Error::new(Code::Definition, format!("`auth.oidc.client_secret_file`, {}: {what}.", file.display()))
    };
    let text = std::fs::read_to_string(file).map_err(|cause| wrong("cannot be read").caused_by(cause))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            std::fs::metadata(file).map_err(|cause| wrong("cannot be read").caused_by(cause))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong("others can read it; set its mode to 0600"));
        }
    }
    let secret = text.trim();
    match secret.len() >= 16 {
        true => Ok(secret.to_owned()),
        false => Err(wrong("a secret has at least 16 characters")),
    }
}
