use super::{KeyIndex, Lookup};

#[test]
fn keys_are_numbered_by_first_appearance() {
    let mut index = KeyIndex::default();
    assert_eq!(index.get(b"a"), None);
    for number in 0..10_000_usize {
        assert_eq!(index.insert(format!("account-{number}").as_bytes()), Ok(number));
    }
    assert_eq!(index.insert(b"account-77"), Err(77));
    assert_eq!(index.insert(b""), Ok(10_000), "the empty key is a key");
    assert_eq!(index.get(b"account-9999"), Some(9999));
    assert_eq!(index.get(b"account-10000"), None);
    assert_eq!(index.len(), 10_001);
}

#[test]
fn members_are_kept_apart_by_branch() {
    let mut lookup = Lookup::default();
    lookup.members_mut("beijing").insert(b"1", None, 11);
    lookup.members_mut("shanghai").insert(b"1", None, 12);
    lookup.members_mut("shanghai").insert(b"1", None, 13);
    assert_eq!(lookup.members("beijing").and_then(|members| members.get(b"1", 0)), Some(11));
    assert_eq!(lookup.members("shanghai").and_then(|members| members.get(b"1", 0)), Some(12));
    assert!(lookup.members("xian").is_none());
}
