//! Addresses that are no place on the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The special-use range that an address is in, in words for an operator; `None` for an address of
/// the public internet.
///
/// The ranges are those of the IANA special-purpose registries (RFC 6890 and what updates it),
/// multicast, and whatever IPv6 space is not assigned as global unicast. An IPv6 address that holds
/// an IPv4 address (mapped, compatible, translated, NAT64, 6to4, Teredo) is special-use whatever it
/// holds: the public internet is reached by IPv4 or by native IPv6.
pub fn special_use(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => special_use_v4(ip),
        IpAddr::V6(ip) => special_use_v6(ip),
    }
}

fn special_use_v4(ip: Ipv4Addr) -> Option<&'static str> {
    Some(match ip.octets() {
        [0, ..] => "this network (0.0.0.0/8)",
        [10, ..] => "private use (10.0.0.0/8)",
        [100, 64..=127, ..] => "carrier-grade NAT (100.64.0.0/10)",
        [127, ..] => "loopback (127.0.0.0/8)",
        [169, 254, ..] => "link-local (169.254.0.0/16)",
        [172, 16..=31, ..] => "private use (172.16.0.0/12)",
        [192, 0, 0, _] => "IETF protocol assignments (192.0.0.0/24)",
        [192, 0, 2, _] => "documentation (192.0.2.0/24)",
        [192, 31, 196, _] => "AS112 (192.31.196.0/24)",
        [192, 52, 193, _] => "AMT (192.52.193.0/24)",
        [192, 88, 99, _] => "6to4 relays (192.88.99.0/24)",
        [192, 168, ..] => "private use (192.168.0.0/16)",
        [192, 175, 48, _] => "AS112 (192.175.48.0/24)",
        [198, 18..=19, ..] => "benchmarking (198.18.0.0/15)",
        [198, 51, 100, _] => "documentation (198.51.100.0/24)",
        [203, 0, 113, _] => "documentation (203.0.113.0/24)",
        [224..=239, ..] => "multicast (224.0.0.0/4)",
        [240..=255, ..] => "reserved and broadcast (240.0.0.0/4)",
        _ => return None,
    })
}

fn special_use_v6(ip: Ipv6Addr) -> Option<&'static str> {
    Some(match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified (::)",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback (::1)",
        [0, 0, 0, 0, 0, 0, ..] => "IPv4-compatible (::/96)",
        [0, 0, 0, 0, 0, 0xffff, ..] => "IPv4-mapped (::ffff:0:0/96)",
        [0, 0, 0, 0, 0xffff, 0, ..] => "IPv4-translated (::ffff:0:0:0/96)",
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => "NAT64 (64:ff9b::/96)",
        [0x64, 0xff9b, 1, ..] => "local NAT64 (64:ff9b:1::/48)",
        [0x100, 0, 0, 0, ..] => "discard-only (100::/64)",
        [0x100, 0, 0, 1, ..] => "dummy prefix (100:0:0:1::/64)",
        [0x2001, 0, ..] => "Teredo (2001::/32)",
        [0x2001, 2, 0, ..] => "benchmarking (2001:2::/48)",
        [0x2001, 0..=0x1ff, ..] => "IETF protocol assignments (2001::/23)",
        [0x2001, 0xdb8, ..] => "documentation (2001:db8::/32)",
        [0x2002, ..] => "6to4 (2002::/16)",
        [0x2620, 0x4f, 0x8000, ..] => "AS112 (2620:4f:8000::/48)",
        [0x3fff, 0..=0xfff, ..] => "documentation (3fff::/20)",
        [0x5f00, ..] => "segment routing (5f00::/16)",
        [0xfc00..=0xfdff, ..] => "unique local (fc00::/7)",
        [0xfe80..=0xfebf, ..] => "link-local (fe80::/10)",
        [0xfec0..=0xfeff, ..] => "site-local (fec0::/10)",
        [0xff00..=0xffff, ..] => "multicast (ff00::/8)",
        // RFC 4291, section 2.4, and the IANA registry of IPv6 address space.
        [0..=0x1fff | 0x4000..=0xffff, ..] => "not assigned as global unicast (outside 2000::/3)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written down from the registries, not from the code above.
    const RANGES: &str = "
        0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
        192.0.2.0/24 192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24
        198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32
        ::/128 ::1/128 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64
        100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128 2001:1::2/128 2001:2::/48 2001:3::/32
        2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32 2002::/16
        2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
        ::/3 4000::/2 8000::/1";

    /// An address as a string of bits, the slowest and plainest way.
    fn bits(ip: IpAddr) -> Vec<bool> {
        let bytes = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let of_byte = |byte: u8| (0..8).rev().map(move |bit| byte >> bit & 1 == 1);
        bytes.into_iter().flat_map(of_byte).collect()
    }

    struct Cidr {
        first: IpAddr,
        bits: Vec<bool>,
        length: usize,
    }

    impl Cidr {
        fn all() -> Vec<Self> {
            let parse = |text: &str| {
                let (first, length) = text.split_once('/').unwrap();
                let first = first.parse().unwrap();
                Self {
                    first,
                    bits: bits(first),
                    length: length.parse().unwrap(),
                }
            };
            RANGES.split_whitespace().map(parse).collect()
        }

        fn has(&self, address: &[bool]) -> bool {
            self.bits.len() == address.len() && self.bits[..self.length] == address[..self.length]
        }

        /// The first and last address, and their neighbours outside.
        fn edges(&self) -> [IpAddr; 4] {
            match self.first {
                IpAddr::V4(first) => {
                    let first = u32::from(first);
                    let last = first | (u64::from(u32::MAX) >> self.length) as u32;
                    [first.wrapping_sub(1), first, last, last.wrapping_add(1)]
                        .map(|number| Ipv4Addr::from(number).into())
                }
                IpAddr::V6(first) => {
                    let first = u128::from(first);
                    let last = first | u128::MAX.checked_shr(self.length as u32).unwrap_or(0);
                    [first.wrapping_sub(1), first, last, last.wrapping_add(1)]
                        .map(|number| Ipv6Addr::from(number).into())
                }
            }
        }
    }

    fn agrees(ranges: &[Cidr], ip: IpAddr) {
        let address = bits(ip);
        let naive = ranges.iter().any(|range| range.has(&address));
        assert_eq!(special_use(ip).is_some(), naive, "{ip}");
    }

    #[test]
    fn every_edge_of_every_range_is_where_the_registry_has_it() {
        let ranges = Cidr::all();
        for ip in ranges.iter().flat_map(Cidr::edges) {
            agrees(&ranges, ip);
        }
    }

    /// Random alone would seldom hit a long prefix: half of the addresses are in or near a range.
    #[test]
    fn a_million_addresses_agree_with_a_naive_list() {
        let ranges = Cidr::all();
        let mut random = fastrand::Rng::with_seed(0x7468_6f74);
        for round in 0..1_000_000_u32 {
            let ip = match round % 4 {
                0 => Ipv4Addr::from(random.u32(..)).into(),
                1 => Ipv6Addr::from(random.u128(..)).into(),
                _ => {
                    let range = &ranges[random.usize(..ranges.len())];
                    let keep = (range.length + random.usize(..4)).saturating_sub(2);
                    match range.first {
                        IpAddr::V4(first) => {
                            let noise = random.u32(..).checked_shr(keep as u32).unwrap_or(0);
                            Ipv4Addr::from(u32::from(first) ^ noise).into()
                        }
                        IpAddr::V6(first) => {
                            let noise = random.u128(..).checked_shr(keep as u32).unwrap_or(0);
                            Ipv6Addr::from(u128::from(first) ^ noise).into()
                        }
                    }
                }
            };
            agrees(&ranges, ip);
        }
    }

    #[test]
    fn a_range_is_named() {
        for (ip, name) in [
            ("127.0.0.1", "loopback (127.0.0.0/8)"),
            ("169.254.169.254", "link-local (169.254.0.0/16)"),
            ("::ffff:8.8.8.8", "IPv4-mapped (::ffff:0:0/96)"),
            ("::127.0.0.1", "IPv4-compatible (::/96)"),
            ("::ffff:0:127.0.0.1", "IPv4-translated (::ffff:0:0:0/96)"),
            ("64:ff9b::10.0.0.1", "NAT64 (64:ff9b::/96)"),
            ("2002:7f00:1::", "6to4 (2002::/16)"),
            ("2001:0:7f00:1::", "Teredo (2001::/32)"),
            ("fd00:ec2::254", "unique local (fc00::/7)"),
        ] {
            assert_eq!(special_use(ip.parse().unwrap()), Some(name), "{ip}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::1"] {
            assert_eq!(special_use(public.parse().unwrap()), None, "{public}");
        }
    }
}
