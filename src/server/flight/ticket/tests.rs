use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::auth::Scope;

fn principal(name: &str, role: &str) -> Principal {
    Principal::new(name, [role.to_owned()].into(), Scope::HeadOffice)
}

fn sealer(at: Timestamp) -> Sealer {
    Sealer::new(|day| [u8::try_from(day % 251).unwrap(); 32], Clock::fixed(at))
}

fn noon() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn content() -> Sealed {
    Sealed {
        id: "a1".to_owned(),
        sql: "SELECT '余额' FROM deposits".to_owned(),
        schema: Some("beijing".to_owned()),
        snapshot: Some(42),
        parameters: Bytes::from_static(b"rows"),
        ..Sealed::default()
    }
}

fn reason(status: &Status) -> (tonic::Code, String) {
    (status.code(), status.message().split(" (id ").next().unwrap().to_owned())
}

#[test]
fn what_is_sealed_comes_back() {
    let (sealer, ann) = (sealer(noon()), principal("ann", "analyst"));
    let opened = sealer.open(Kind::Ticket, &ann, &sealer.seal(Kind::Ticket, &ann, content()).unwrap()).unwrap();
    assert_eq!((opened.sql.as_str(), opened.schema.as_deref()), ("SELECT '余额' FROM deposits", Some("beijing")));
    assert_eq!((opened.snapshot, opened.parameters.as_ref()), (Some(42), &b"rows"[..]));
    assert_eq!(opened.principal, "ann");
    assert_eq!(opened.fingerprint, ann.fingerprint());
    assert_ne!(opened.fingerprint, principal("ann", "auditor").fingerprint());
}

#[test]
fn nothing_readable_stands_in_it_and_no_two_are_equal() {
    let (sealer, ann) = (sealer(noon()), principal("ann", "analyst"));
    let (one, two) =
        (sealer.seal(Kind::Ticket, &ann, content()).unwrap(), sealer.seal(Kind::Ticket, &ann, content()).unwrap());
    assert_ne!(one, two);
    assert!(!one.windows(6).any(|window| window == b"SELECT"));
}

#[test]
fn every_changed_byte_and_every_cut_is_refused_alike() {
    let (sealer, ann) = (sealer(noon()), principal("ann", "analyst"));
    let sealed = sealer.seal(Kind::Ticket, &ann, content()).unwrap();
    let unknown = reason(&sealer.open(Kind::Ticket, &ann, b"").unwrap_err());
    assert_eq!(unknown.0, tonic::Code::NotFound);
    for at in 0..sealed.len() {
        let mut forged = sealed.to_vec();
        forged[at] ^= 1;
        assert_eq!(reason(&sealer.open(Kind::Ticket, &ann, &forged).unwrap_err()), unknown, "byte {at}");
        assert_eq!(reason(&sealer.open(Kind::Ticket, &ann, &sealed[..at]).unwrap_err()), unknown, "cut at {at}");
    }
    // Another use, another principal, another key: the same words.
    assert_eq!(reason(&sealer.open(Kind::Handle, &ann, &sealed).unwrap_err()), unknown);
    assert_eq!(reason(&sealer.open(Kind::Ticket, &principal("bob", "analyst"), &sealed).unwrap_err()), unknown);
    let other = Sealer::new(|_| [9; 32], Clock::fixed(noon()));
    assert_eq!(reason(&other.open(Kind::Ticket, &ann, &sealed).unwrap_err()), unknown);
}

#[test]
fn it_expires_and_survives_midnight() {
    let ann = principal("ann", "analyst");
    for (kind, minutes) in [(Kind::Ticket, 15), (Kind::Handle, 12 * 60), (Kind::Transaction, 4 * 60)] {
        let made = "2026-03-01T23:59:00Z".parse::<Timestamp>().unwrap();
        let sealed = sealer(made).seal(kind, &ann, content()).unwrap();
        let before = made + SignedDuration::from_mins(minutes) - SignedDuration::from_secs(1);
        assert!(sealer(before).open(kind, &ann, &sealed).is_ok(), "{kind:?}");
        let after = made + SignedDuration::from_mins(minutes);
        let status = sealer(after).open(kind, &ann, &sealed).unwrap_err();
        assert_eq!(status.code(), tonic::Code::FailedPrecondition, "{kind:?}");
        assert!(status.message().contains("expired"), "{}", status.message());
    }
}
