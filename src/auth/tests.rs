use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::{Auth, Credential, Entry, Peer, Principal, Scope, TokenScope, Via};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::error::{Code, Error};

/// Hours, minutes and seconds that a test moves itself.
#[derive(Clone)]
struct Hand(Arc<Mutex<Timestamp>>);

impl Hand {
    fn forward(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

/// Somebody at the HTTP face, whose address nobody knows.
const PEER: Peer = Peer { entry: Entry::Http, address: None };

async fn open(dir: &TempDir) -> (Auth, Hand) {
    let hand = Hand(Arc::new(Mutex::new("2025-11-30T12:00:00Z".parse().unwrap())));
    let read = hand.clone();
    let clock = Clock::from_fn(move || *read.0.lock().unwrap());
    let catalog = Catalog::open(dir.path(), clock.clone()).await.unwrap();
    (Auth::open(catalog, clock).await.unwrap().with_cheap_passwords().with_failures_per_minute(1000), hand)
}

fn roles(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn add(auth: &Auth, name: &str, scope: &str) {
    let password = format!("{name}: correct horse");
    auth.create_user(name, Some(password), roles(&["analyst"]), scope.parse().unwrap()).await.unwrap();
}

fn is_the_one_text(error: &Error) {
    assert_eq!(error.code(), Code::Token);
    assert_eq!(error.message(), super::wrong_credentials().message());
}

#[tokio::test]
async fn a_password_logs_in_and_everything_else_gets_one_text() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, hand) = open(&dir).await;
    add(&auth, "beijing", "beijing").await;
    auth.create_user("robot", None, roles(&["analyst"]), Scope::HeadOffice).await.unwrap();

    let principal = auth.login_password("beijing", "beijing: correct horse", PEER).await.unwrap();
    assert_eq!(principal.name, "beijing");
    assert_eq!(principal.scope, Scope::Branches(BTreeSet::from(["beijing".to_owned()])));
    assert!(principal.has_role("analyst") && !principal.is_administrator());

    is_the_one_text(&auth.login_password("beijing", "wrong password", PEER).await.unwrap_err());
    is_the_one_text(&auth.login_password("nobody", "wrong password", PEER).await.unwrap_err());
    is_the_one_text(&auth.login_password("robot", "", PEER).await.unwrap_err());
    is_the_one_text(&auth.login_password("nobody at all", &"x".repeat(5000), PEER).await.unwrap_err());
    auth.set_disabled("beijing", true).await.unwrap();
    hand.forward(SignedDuration::from_mins(10));
    is_the_one_text(&auth.login_password("beijing", "beijing: correct horse", PEER).await.unwrap_err());
    assert_eq!(auth.principal("beijing").await.unwrap_err().code(), Code::Denied);
    auth.set_disabled("beijing", false).await.unwrap();
    hand.forward(SignedDuration::from_mins(10));
    auth.login_password("beijing", "beijing: correct horse", PEER).await.unwrap();
    assert_eq!(auth.principal("nobody").await.unwrap_err().code(), Code::NoSuchObject);
}

#[tokio::test]
async fn failures_delay_an_account_known_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, hand) = open(&dir).await;
    add(&auth, "beijing", "beijing").await;
    add(&auth, "shanghai", "shanghai").await;
    for name in ["nobody", "beijing"] {
        for delay in [1, 2, 4, 8] {
            is_the_one_text(&auth.login_password(name, "wrong password", PEER).await.unwrap_err());
            hand.forward(SignedDuration::from_secs(delay));
        }
        is_the_one_text(&auth.login_password(name, "wrong password", PEER).await.unwrap_err());
    }
    // 16 seconds from here on; the right password does not help.
    let before = Instant::now();
    is_the_one_text(&auth.login_password("beijing", "beijing: correct horse", PEER).await.unwrap_err());
    assert!(before.elapsed().as_millis() < 500, "refused without work");
    auth.login_password("shanghai", "shanghai: correct horse", PEER).await.unwrap();
    hand.forward(SignedDuration::from_secs(16));
    auth.login_password("beijing", "beijing: correct horse", PEER).await.unwrap();
    is_the_one_text(&auth.login_password("beijing", "wrong password", PEER).await.unwrap_err());
    hand.forward(SignedDuration::from_secs(1));
    auth.login_password("beijing", "beijing: correct horse", PEER).await.unwrap();
    // Never longer than five minutes.
    for _ in 0..12 {
        is_the_one_text(&auth.login_password("beijing", "wrong password", PEER).await.unwrap_err());
        hand.forward(SignedDuration::from_mins(5));
    }
    auth.login_password("beijing", "beijing: correct horse", PEER).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_guesses_at_once_few_are_computed() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, _hand) = open(&dir).await;
    add(&auth, "beijing", "beijing").await;
    let mut guesses: Vec<_> = (0..50).map(|_| auth.login_password("beijing", "wrong password", PEER)).collect();
    guesses.push(auth.login_password("beijing", "beijing: correct horse", PEER));
    let done = futures::future::join_all(guesses).await;
    assert!(done.iter().all(Result::is_err), "the right one among them came too late");
}

#[tokio::test]
async fn unknown_users_cost_the_same_time() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, hand) = open(&dir).await;
    let mut auth = auth;
    // Enough work that it outweighs the database, and little enough for a test.
    auth.passwords = Arc::new(super::password::Passwords::new([7; 32], (2048, 2)).unwrap());
    add(&auth, "beijing", "beijing").await;
    let time = async |name: &str| {
        let mut best = f64::MAX;
        for _ in 0..9 {
            hand.forward(SignedDuration::from_mins(20));
            let before = Instant::now();
            auth.login_password(name, "wrong password", PEER).await.unwrap_err();
            best = best.min(before.elapsed().as_secs_f64());
        }
        best
    };
    let (known, unknown) = (time("beijing").await, time("nobody").await);
    let ratio = known.max(unknown) / known.min(unknown);
    assert!(ratio < 2.0, "{known} against {unknown}");
}

#[tokio::test]
async fn hashes_are_argon2id_at_the_stated_cost_and_renewed_when_it_rises() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, _hand) = open(&dir).await;
    add(&auth, "beijing", "beijing").await;
    let stored = async || auth.users().await.unwrap()[0].password_hash.clone().unwrap();
    assert!(stored().await.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", stored().await);
    let catalog = auth.catalog.clone();
    let real = Auth::open(catalog, auth.clock.clone()).await.unwrap();
    real.login_password("beijing", "beijing: correct horse", PEER).await.unwrap();
    assert!(stored().await.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{}", stored().await);
    real.login_password("beijing", "beijing: correct horse", PEER).await.unwrap();
    assert!(!format!("{:?}", auth.users().await.unwrap()).contains("argon2"), "no hash in a log");
}

#[tokio::test]
async fn names_passwords_roles_and_scopes_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, _hand) = open(&dir).await;
    let all = |name: &'static str, password: &'static str, role: &'static str| {
        auth.create_user(name, Some(password.to_owned()), roles(&[role]), Scope::HeadOffice)
    };
    assert_eq!(all("x", "eleven char", "analyst").await.unwrap_err().code(), Code::BadRequest);
    assert_eq!(all("x", "twelve chars", "king").await.unwrap_err().code(), Code::BadRequest);
    for name in ["", "a b", "a:b", "a\nb", "<b>"] {
        assert_eq!(all(name, "twelve chars", "analyst").await.unwrap_err().code(), Code::BadRequest, "{name}");
    }
    all("王小明", "十二个汉字组成的一个密码", "analyst").await.unwrap();
    assert_eq!(all("王小明", "twelve chars", "analyst").await.unwrap_err().code(), Code::Conflict);

    for text in ["head_office", "beijing", "beijing,shanghai"] {
        assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
    }
    for text in ["", "head_office,beijing", "Beijing", "a,,b", "a b", "../x", "shared", "system"] {
        assert!(text.parse::<Scope>().is_err(), "{text}");
    }
    let scope: Scope = serde_json::from_str("\"shanghai,beijing\"").unwrap();
    assert_eq!(serde_json::to_string(&scope).unwrap(), "\"beijing,shanghai\"");
}

#[test]
fn the_fingerprint_follows_the_rights() {
    let principal = |name: &str, role: &[&str], scope: &str| Principal::new(name, roles(role), scope.parse().unwrap());
    let one = principal("a", &["analyst", "auditor"], "beijing").fingerprint();
    assert_eq!(one.len(), 64);
    assert_eq!(one, principal("b", &["auditor", "analyst"], "beijing").fingerprint());
    assert_ne!(one, principal("a", &["analyst"], "beijing").fingerprint());
    assert_ne!(one, principal("a", &["analyst", "auditor"], "beijing,shanghai").fingerprint());
    assert_ne!(one, principal("a", &["analyst", "auditor"], "head_office").fingerprint());
}

#[tokio::test]
async fn tokens_count_until_they_expire_are_revoked_or_their_user_is_disabled() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, hand) = open(&dir).await;
    add(&auth, "beijing", "beijing").await;
    let token = auth.create_token("beijing", "bi tool", 30, &TokenScope::default()).await.unwrap();
    assert!(token.starts_with("cth_"));
    assert_eq!(auth.login_token(&token, PEER).await.unwrap().name, "beijing");
    let rows = auth.tokens(Some("beijing")).await.unwrap();
    assert_eq!((rows.len(), rows[0].label.as_str()), (1, "bi tool"));
    assert!(rows[0].last_used_at.is_some());
    assert!(!token.contains(&rows[0].secret_sha256), "only a hash is kept");
    assert!(auth.tokens(Some("shanghai")).await.unwrap().is_empty());

    let last = token.chars().last().unwrap();
    let wrong = format!("{}{}", &token[..token.len() - 1], if last == '0' { '1' } else { '0' });
    let foreign_id = token.replacen(&rows[0].id, "0000000000000000", 1);
    for bad in [wrong.as_str(), foreign_id.as_str(), "cth_", "cth_a", "", "cts_", "Bearer x", &rows[0].secret_sha256] {
        is_the_one_text(&auth.login_token(bad, PEER).await.unwrap_err());
    }
    auth.set_disabled("beijing", true).await.unwrap();
    is_the_one_text(&auth.login_token(&token, PEER).await.unwrap_err());
    auth.set_disabled("beijing", false).await.unwrap();
    auth.login_token(&token, PEER).await.unwrap();
    auth.revoke_token(&rows[0].id).await.unwrap();
    is_the_one_text(&auth.login_token(&token, PEER).await.unwrap_err());
    assert_eq!(auth.revoke_token("nothing").await.unwrap_err().code(), Code::NoSuchObject);

    let token = auth.create_token("beijing", "short", 1, &TokenScope::default()).await.unwrap();
    hand.forward(SignedDuration::from_hours(24));
    is_the_one_text(&auth.login_token(&token, PEER).await.unwrap_err());
    for days in [0, 91] {
        assert_eq!(
            auth.create_token("beijing", "", days, &TokenScope::default()).await.unwrap_err().code(),
            Code::BadRequest
        );
    }
    assert_eq!(
        auth.create_token("nobody", "", 1, &TokenScope::default()).await.unwrap_err().code(),
        Code::NoSuchObject
    );
}

#[tokio::test]
async fn sessions_end_by_logout_time_idleness_or_disabling() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, hand) = open(&dir).await;
    add(&auth, "beijing", "beijing").await;
    let principal = auth.principal("beijing").await.unwrap();

    let session = auth.open_session(&principal).await.unwrap();
    let opened = auth.session(&session, PEER).await.unwrap();
    assert!(matches!(opened.via.credential, Some(Credential::Session(_))));
    assert_eq!(Principal { via: Via::default(), ..opened.clone() }, principal);
    assert_eq!(auth.login_token(&session, PEER).await.unwrap(), opened);
    assert!(auth.still_holds(&opened).await.unwrap());
    auth.close_session(&session).await.unwrap();
    is_the_one_text(&auth.session(&session, PEER).await.unwrap_err());
    assert!(!auth.still_holds(&opened).await.unwrap());

    let program = auth.open_session(&principal).await.unwrap();
    let browser = auth.open_browser_session(&principal).await.unwrap();
    assert_ne!(program, browser);
    hand.forward(SignedDuration::from_mins(29));
    auth.session(&browser, PEER).await.unwrap();
    hand.forward(SignedDuration::from_mins(29));
    auth.session(&browser, PEER).await.unwrap();
    hand.forward(SignedDuration::from_mins(31));
    is_the_one_text(&auth.session(&browser, PEER).await.unwrap_err());
    auth.session(&program, PEER).await.unwrap();
    hand.forward(SignedDuration::from_hours(11));
    is_the_one_text(&auth.session(&program, PEER).await.unwrap_err());

    let session = auth.open_session(&principal).await.unwrap();
    assert_eq!(auth.set_password("beijing", "too short".to_owned()).await.unwrap_err().code(), Code::BadRequest);
    auth.session(&session, PEER).await.unwrap();
    auth.set_password("beijing", "another password".to_owned()).await.unwrap();
    is_the_one_text(&auth.session(&session, PEER).await.unwrap_err());
    auth.login_password("beijing", "another password", PEER).await.unwrap();

    let session = auth.open_session(&principal).await.unwrap();
    auth.set_disabled("beijing", true).await.unwrap();
    auth.set_disabled("beijing", false).await.unwrap();
    is_the_one_text(&auth.session(&session, PEER).await.unwrap_err());
}

#[tokio::test]
async fn the_secret_is_private_and_stays_with_its_catalog() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, _hand) = open(&dir).await;
    let path = dir.path().join("secret.key");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let reopened = open(&dir).await.0;
    assert_eq!(auth.derive_key("form"), reopened.derive_key("form"));
    assert_ne!(auth.derive_key("form"), auth.derive_key("ticket"));
    assert!(!format!("{auth:?}").contains(&text.trim()[..8]));

    let again = async || Auth::open(auth.catalog.clone(), auth.clock.clone()).await;
    for wrong in ["", "short", &"0".repeat(64), &"x".repeat(64)] {
        std::fs::write(&path, wrong).unwrap();
        assert_eq!(again().await.unwrap_err().code(), Code::Internal, "{wrong}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(again().await.unwrap_err().code(), Code::Internal, "a lost secret is not replaced in silence");
    std::fs::write(&path, &text).unwrap();
    again().await.unwrap();
}

/// LT-31.
#[tokio::test]
async fn a_token_carries_what_its_scope_leaves_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, _hand) = open(&dir).await;
    add(&auth, "beijing", "beijing").await;
    let scope = TokenScope {
        cubes: Some(["deposits".to_owned()].into()),
        reports: None,
        faces: Some([Entry::Flight].into()),
        networks: vec!["10.2.0.0/16".parse().unwrap()],
    };
    let token = auth.create_token("beijing", "tool", 1, &scope).await.unwrap();
    let from = |entry, address: &str| Peer::new(entry, address.parse().ok());
    let principal = auth.login_token(&token, from(Entry::Flight, "10.2.3.4")).await.unwrap();
    assert_eq!(principal.only.cubes, scope.cubes);
    assert_ne!(principal.fingerprint(), auth.principal("beijing").await.unwrap().fingerprint());
    auth.login_token(&token, from(Entry::Flight, "::ffff:10.2.3.4")).await.unwrap();
    for peer in [from(Entry::Http, "10.2.3.4"), from(Entry::Flight, "10.3.3.4"), from(Entry::Flight, "?")] {
        is_the_one_text(&auth.login_token(&token, peer).await.unwrap_err());
    }
    assert!(auth.still_holds(&principal).await.unwrap());
    // A session that it opens carries no more, and ends with it.
    let session = auth.open_session(&principal).await.unwrap();
    let opened = auth.session(&session, from(Entry::Flight, "10.2.3.4")).await.unwrap();
    assert_eq!((opened.only.cubes.clone(), opened.fingerprint()), (scope.cubes.clone(), principal.fingerprint()));
    is_the_one_text(&auth.session(&session, from(Entry::Http, "10.2.3.4")).await.unwrap_err());
    let next = auth.open_session(&opened).await.unwrap();
    assert_eq!(auth.session(&next, from(Entry::Flight, "10.2.3.4")).await.unwrap().only.cubes, scope.cubes);
    let id = auth.tokens(None).await.unwrap()[0].id.clone();
    auth.revoke_token(&id).await.unwrap();
    assert!(!auth.still_holds(&principal).await.unwrap() && !auth.still_holds(&opened).await.unwrap());
    is_the_one_text(&auth.session(&session, from(Entry::Flight, "10.2.3.4")).await.unwrap_err());
    is_the_one_text(&auth.login_token(&token, from(Entry::Flight, "10.2.3.4")).await.unwrap_err());
    let failed = crate::catalog::AuditFilter { action: Some("login_failed".to_owned()), ..Default::default() };
    let failed = auth.catalog.audit_rows(&failed).await.unwrap();
    assert_eq!(failed.len(), 4);
    assert!(failed.iter().all(|row| row.event.principal == "beijing" && row.event.detail["token"] == id.as_str()));
    assert_eq!(failed[0].event.detail["address"], "10.2.3.4");
}

#[tokio::test]
async fn a_flood_from_one_address_is_neither_computed_nor_recorded_and_hurts_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, hand) = open(&dir).await;
    let auth = auth.with_failures_per_minute(20);
    add(&auth, "beijing", "beijing").await;
    let token = auth.create_token("beijing", "tool", 1, &TokenScope::default()).await.unwrap();
    let peer = |last: u8| Peer::new(Entry::Http, Some([10, 0, 0, last].into()));
    for n in 0..50 {
        is_the_one_text(&auth.login_token(&format!("cth_{n}_x"), peer(1)).await.unwrap_err());
    }
    auth.login_token(&token, peer(1)).await.expect("a good token stays good");
    auth.login_password("beijing", "beijing: correct horse", peer(1)).await.expect("and passwords are another matter");
    for n in 0..50 {
        is_the_one_text(&auth.login_password(&format!("nobody{n}"), "wrong password", peer(1)).await.unwrap_err());
    }
    is_the_one_text(&auth.login_password("beijing", "beijing: correct horse", peer(1)).await.unwrap_err());
    auth.login_password("beijing", "beijing: correct horse", peer(2)).await.unwrap();
    let failed = crate::catalog::AuditFilter { action: Some("login_failed".to_owned()), ..Default::default() };
    assert_eq!(auth.catalog.audit_rows(&failed).await.unwrap().len(), 40);
    hand.forward(SignedDuration::from_mins(1));
    auth.login_password("beijing", "beijing: correct horse", peer(1)).await.unwrap();
}

#[tokio::test]
async fn nobody_changes_their_own_login_and_every_change_names_who_made_it() {
    let dir = tempfile::tempdir().unwrap();
    let (auth, _hand) = open(&dir).await;
    add(&auth, "beijing", "beijing").await;
    auth.create_user("chief", None, roles(&["administrator"]), Scope::HeadOffice).await.unwrap();
    let acting = auth.acting_as(&auth.principal("chief").await.unwrap());
    for done in [
        acting.set_rights("chief", roles(&["administrator", "analyst"]), Scope::HeadOffice).await,
        acting.set_disabled("chief", true).await,
    ] {
        assert_eq!(done.unwrap_err().code(), Code::Denied);
    }
    assert_eq!(
        acting.set_rights("beijing", roles(&["chairman"]), Scope::HeadOffice).await.unwrap_err().code(),
        Code::BadRequest
    );
    let before = auth.principal("beijing").await.unwrap();
    acting.set_rights("beijing", roles(&["reader"]), Scope::HeadOffice).await.unwrap();
    assert_eq!(auth.principal("beijing").await.unwrap().scope, Scope::HeadOffice);
    assert!(!before.has_role("reader"));
    let changed = crate::catalog::AuditFilter { action: Some("user_changed".to_owned()), ..Default::default() };
    let detail = auth.catalog.audit_rows(&changed).await.unwrap()[0].event.detail.clone();
    assert_eq!(detail["by"], "chief");
    assert_eq!(detail["before"]["scope"], "beijing");
    assert_eq!(detail["after"]["roles"], serde_json::json!(["reader"]));
}
