use super::*;

fn header(value: &str) -> Option<(String, Option<String>)> {
    let mut headers = MetadataMap::new();
    headers.insert("authorization", value.parse().unwrap());
    credentials(&headers).map(|credentials| match credentials {
        Credentials::Basic { user, password } => (user, Some(password)),
        Credentials::Bearer(token) => (token, None),
    })
}

fn pair(user: &str, password: &str) -> Option<(String, Option<String>)> {
    Some((user.to_owned(), Some(password.to_owned())))
}

#[test]
fn basic_is_read_with_and_without_padding() {
    assert_eq!(header("Basic YTpi"), pair("a", "b"));
    assert_eq!(header("Basic YTpiYg=="), pair("a", "bb"));
    assert_eq!(header("Basic YTpiYg"), pair("a", "bb"));
    assert_eq!(header("basic YTpiYmI="), pair("a", "bbb"));
    assert_eq!(header("Basic YTpiYmI"), pair("a", "bbb"));
    // A password may hold colons and any letters.
    assert_eq!(header(&format!("Basic {}", BASE64.encode("王:密:码"))), pair("王", "密:码"));
}

#[test]
fn bearer_and_what_is_neither() {
    assert_eq!(header("Bearer cth_1_x"), Some(("cth_1_x".to_owned(), None)));
    assert_eq!(header("bearer  cth_1_x "), Some(("cth_1_x".to_owned(), None)));
    for wrong in ["", "Basic", "Basic !!!!", "Basic YQ==", "Digest a", "cth_1_x"] {
        assert_eq!(header(wrong), None, "{wrong}");
    }
    assert!(credentials(&MetadataMap::new()).is_none());
}

fn caller(session: u8) -> Caller {
    Caller {
        principal: Principal::new("ann", ["analyst".to_owned()].into(), crate::auth::Scope::HeadOffice),
        session: [session; 32],
        owner: [session; 32],
        options: Options::default(),
        token: Token("cts_1".to_owned()),
        successor: None,
    }
}

fn after(minutes: i64) -> Timestamp {
    "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

#[test]
fn a_transaction_is_pinned_by_its_first_statement() {
    let transactions = Transactions::default();
    let name = transactions.begin(&caller(1), after(0)).unwrap();
    assert_eq!(transactions.snapshot(&name, after(1)).unwrap(), None);
    assert_eq!(transactions.pin(&name, 7).unwrap(), 7);
    assert_eq!(transactions.pin(&name, 8).unwrap(), 7);
    assert_eq!(transactions.snapshot(&name, after(2)).unwrap(), Some(7));
    transactions.end(&name);
    transactions.end(&name);
    assert_eq!(transactions.snapshot(&name, after(3)).unwrap_err().code(), tonic::Code::FailedPrecondition);
}

#[test]
fn a_transaction_expires_idle_and_in_total() {
    let transactions = Transactions::default();
    let idle = transactions.begin(&caller(1), after(0)).unwrap();
    assert!(transactions.snapshot(&idle, after(29)).is_ok());
    assert!(transactions.snapshot(&idle, after(59)).is_err());
    let busy = transactions.begin(&caller(1), after(0)).unwrap();
    for minutes in (0..240).step_by(20) {
        assert!(transactions.snapshot(&busy, after(minutes)).is_ok(), "{minutes}");
    }
    assert!(transactions.snapshot(&busy, after(240)).is_err());
}

#[test]
fn transactions_are_bounded_and_go_with_their_session() {
    let transactions = Transactions::default();
    let names: Vec<_> = (0..MAX_TRANSACTIONS).map(|_| transactions.begin(&caller(1), after(0)).unwrap()).collect();
    assert_eq!(transactions.begin(&caller(2), after(0)).unwrap_err().code(), Code::Limit);
    transactions.drop_session(&[1; 32]);
    assert!(transactions.snapshot(&names[0], after(0)).is_err());
    assert!(transactions.begin(&caller(2), after(0)).is_ok());
}

#[test]
fn options_are_dropped_when_idle() {
    let sessions = Sessions::default();
    let options = Options { schema: Some("beijing".to_owned()), ..Options::default() };
    sessions.keep([1; 32], [1; 32], options.clone(), after(0));
    assert_eq!(sessions.options(&[1; 32], after(20)), options);
    assert_eq!(sessions.options(&[1; 32], after(45)), options);
    assert_eq!(sessions.options(&[2; 32], after(45)), Options::default());
    assert_eq!(sessions.options(&[1; 32], after(80)), Options::default());
}

#[test]
fn ever_new_cookies_displace_their_own_token_only() {
    let sessions = Sessions::default();
    let options = Options { schema: Some("beijing".to_owned()), ..Options::default() };
    sessions.keep([1; 32], [1; 32], options.clone(), after(0));
    // Keys that differ from the first one: 129 ^ 0x80 would be it.
    for n in 2..=201 {
        sessions.keep([n; 32], [2; 32], options.clone(), after(1));
    }
    assert_eq!(sessions.lock().len(), MAX_COOKIES + 1);
    assert_eq!(sessions.options(&[1; 32], after(1)), options);
}
