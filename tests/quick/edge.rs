//! Networks, public addresses and contacts as they are written, and where a request is taken to come
//! from. What servers and pages make of it is in `tests/it/edge.rs`.

use std::net::IpAddr;

use usher::edge::{Contact, Edge, Network, PublicUrl};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn trusting(networks: &[&str]) -> Edge {
    Edge::new(None, networks.iter().map(|text| text.parse().expect("a network")).collect())
}

#[test]
fn a_network_has_its_first_and_last_address_and_no_other() {
    let cases = [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
        ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "192.0.2.8"]),
        ("192.0.2.0/31", ["192.0.2.0", "192.0.2.1"], ["192.0.1.255", "192.0.2.2"]),
        ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff:ffff::1"], ["2001:db7::1", "2001:db9::"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::1", "2001:db8::1"]),
    ];
    for (text, inside, outside) in cases {
        let network: Network = text.parse().expect("a network");
        assert!(inside.iter().all(|address| network.has(ip(address))), "{text}");
        assert!(!outside.iter().any(|address| network.has(ip(address))), "{text}");
    }
    for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/", "proxy", "10.0.0.1:80"]
    {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}

#[test]
fn a_public_url_is_a_scheme_and_a_host() {
    let cases = [
        ("https://usher.example.com", "https://usher.example.com"),
        ("HTTPS://Usher.Example.com/", "https://usher.example.com"),
        ("https://usher.example.com:443", "https://usher.example.com"),
        ("http://usher.example.com:443", "http://usher.example.com:443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ];
    for (text, shown) in cases {
        assert_eq!(text.parse::<PublicUrl>().expect(text).to_string(), shown);
    }
    let wrong = [
        "",
        "usher.example.com",
        "ftp://usher.example.com",
        "https://",
        "https://u:p@usher.example.com",
        "https://usher.example.com/v1",
        "https://usher.example.com?x",
        "https://a..b",
        "https://a b",
        "https://usher.example.com:0",
        "https://usher.example.com:65536",
        "https://usher.example.com:+1",
        "https://[::1",
        "https://x\n.example",
    ];
    for text in wrong {
        assert!(text.parse::<PublicUrl>().is_err(), "{text}");
    }
}

#[test]
fn the_sender_is_the_right_most_address_that_is_not_trusted() {
    let edge = trusting(&["10.0.0.0/8", "fd00::/8"]);
    let cases: &[(&str, &[&str], Option<&str>)] = &[
        ("192.0.2.1", &[], Some("192.0.2.1")),
        // A peer that is no proxy of ours speaks for itself alone.
        ("192.0.2.1", &["198.51.100.9"], Some("192.0.2.1")),
        // A proxy of ours that names nobody: all its visitors would be one.
        ("10.0.0.1", &[], None),
        ("10.0.0.1", &["198.51.100.9"], Some("198.51.100.9")),
        ("10.0.0.1", &["203.0.113.66, 198.51.100.9"], Some("198.51.100.9")),
        ("10.0.0.1", &["203.0.113.66", "198.51.100.9, 10.2.3.4"], Some("198.51.100.9")),
        ("fd00::1", &["198.51.100.9:4711"], Some("198.51.100.9")),
        ("10.0.0.1", &["10.0.0.7"], Some("10.0.0.7")),
        // What nobody who is believed says is not known.
        ("10.0.0.1", &["198.51.100.9, unknown"], None),
        ("10.0.0.1", &["198.51.100.9, "], None),
        ("10.0.0.1", &["unknown, 198.51.100.9"], Some("198.51.100.9")),
        // A household of IPv6 is one.
        ("10.0.0.1", &["2001:db8:1:2:3:4:5:6"], Some("2001:db8:1:2::")),
        ("10.0.0.1", &["[2001:db8:1:2::9]:443"], Some("2001:db8:1:2::")),
        ("2001:db8:9:9:1::1", &[], Some("2001:db8:9:9::")),
        ("::ffff:192.0.2.1", &[], Some("192.0.2.1")),
    ];
    for (peer, lines, sender) in cases {
        assert_eq!(edge.sender(Some(ip(peer)), lines, &[]), sender.map(ip), "{peer} {lines:?}");
    }
    assert_eq!(edge.sender(None, &["198.51.100.9"], &[]), None);
}

#[test]
fn forwarded_is_read_where_there_is_no_x_forwarded_for() {
    let edge = trusting(&["10.0.0.1"]);
    let proxy = Some(ip("10.0.0.1"));
    let cases = [
        ("for=198.51.100.9", Some("198.51.100.9")),
        ("For=\"[2001:db8:1:2::9]:443\";proto=https", Some("2001:db8:1:2::")),
        ("for=203.0.113.1, proto=https; for=198.51.100.9", Some("198.51.100.9")),
        ("for=_hidden", None),
        ("proto=https", None),
    ];
    for (line, sender) in cases {
        assert_eq!(edge.sender(proxy, &[], &[line]), sender.map(ip), "{line}");
    }
    // A client wrote it, and the proxy passed it on.
    assert_eq!(edge.sender(proxy, &["198.51.100.9"], &["for=203.0.113.1"]), Some(ip("198.51.100.9")));
}

#[test]
fn a_security_contact_is_one_address_of_a_known_scheme() {
    for good in ["mailto:a@b.example", "https://b.example/report", "tel:+1-201-555-0123"] {
        good.parse::<Contact>().expect("a contact");
    }
    for bad in [
        "",
        "mailto:",
        "a@b.example",
        "http://b.example",
        "mailto:a@b.example\nContact: tel:1",
        "https://b .c",
    ] {
        assert!(bad.parse::<Contact>().is_err(), "{bad:?}");
    }
}
