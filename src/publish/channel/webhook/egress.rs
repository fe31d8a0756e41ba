//! Addresses that messages may go to: the public internet, and what the settings list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Whether a message may go there: to an address that every network routes, or to one that is listed. Addresses where clouds
/// tell a machine its credentials are never open, nor are IPv4 addresses in the clothes of IPv6.
pub(super) fn is_open(address: IpAddr, allow: &[IpNet]) -> bool {
    if is_metadata(address) || is_embedded(address) {
        return false;
    }
    let is_public = match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    };
    is_public || allow.iter().any(|network| network.contains(&address))
}

/// AWS, Azure, Google and most others; AWS by IPv6; Alibaba; Oracle.
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            matches!(address.octets(), [169, 254, 169, 254] | [100, 100, 100, 200] | [192, 0, 0, 192])
        }
        IpAddr::V6(address) => address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    }
}

/// IPv4 mapped (`::ffff:0:0/96`), compatible (`::/96`, but for loopback and unspecified), translated (`64:ff9b::/96`,
/// `64:ff9b:1::/48`), 6to4 (`2002::/16`) and Teredo (`2001::/32`).
fn is_embedded(address: IpAddr) -> bool {
    let IpAddr::V6(address) = address else { return false };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, high, low] => (high, low) != (0, 0) && (high, low) != (0, 1),
        [0, 0, 0, 0, 0, 0xffff, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..]
        | [0x64, 0xff9b, 1, ..]
        | [0x2002, ..]
        | [0x2001, 0, ..] => true,
        _ => false,
    }
}

/// Not in the register of special addresses (RFC 6890), not multicast, not reserved.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] | [224..=255, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [169, 254, ..] | [192, 168, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        [172, second, ..] => (16..32).contains(&second),
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        _ => false,
    };
    !special
}

/// Global unicast (`2000::/3`) without the ranges for documentation and protocols.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [0x2001, second, ..] if second < 0x200 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}
