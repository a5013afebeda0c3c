//! A rule's flag, a line end, a URL: what we take for host, port and path is what `url` and `http`
//! take for it, and what is granted has no way out of the rule's path.
#![no_main]

use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use thoth_grants::{Grants, Host, HostPattern, NetworkRule, PathPattern, Target};

fuzz_target!(|text: &str| {
    let (flag, url) = text.split_once('\n').unwrap_or(("", text));
    let rule = NetworkRule::from_flag(flag);
    if let Err(error) = &rule {
        assert!(!error.to_string().contains(char::is_control));
    }
    let Ok(uri) = url.parse::<Uri>() else { return };
    let Ok(target) = Target::parse(&Method::GET, &uri) else {
        return;
    };

    let whatwg = url::Url::parse(url).expect("a target that WHATWG cannot read");
    let host = target.host.to_string();
    match (&target.host, whatwg.host()) {
        (Host::Name(name), Some(url::Host::Domain(domain))) => assert_eq!(name, domain),
        (Host::Address(ours), Some(url::Host::Ipv4(theirs))) => assert_eq!(*ours, theirs),
        (Host::Address(ours), Some(url::Host::Ipv6(theirs))) => {
            assert_eq!(*ours, std::net::IpAddr::V6(theirs).to_canonical());
        }
        (ours, theirs) => panic!("{ours:?} is {theirs:?}"),
    }
    assert_eq!(whatwg.port_or_known_default(), Some(target.port));
    assert_eq!(uri.port_u16().unwrap_or(target.scheme.port()), target.port);
    assert!(whatwg.username().is_empty() && whatwg.password().is_none());
    assert!(
        uri.authority()
            .is_some_and(|authority| !authority.as_str().contains('@'))
    );
    if let Host::Name(name) = &target.host {
        assert!(
            uri.host()
                .is_some_and(|host| host.eq_ignore_ascii_case(name))
        );
    }
    for segment in target.path.split('/').skip(1) {
        assert!(!matches!(segment, "." | ".."));
    }
    assert!(target.path.starts_with('/') && !target.path.contains("//"));
    assert!(
        target
            .path_and_query()
            .bytes()
            .all(|byte| byte.is_ascii_graphic())
    );

    // What is sent is read as what was checked.
    let sent = format!(
        "{}://{}{}",
        target.scheme,
        target.authority(),
        target.path_and_query()
    );
    let sent: Uri = sent.parse().expect("a target that cannot be sent");
    assert_eq!(Target::parse(&Method::GET, &sent).as_ref(), Ok(&target));

    let Ok(rule) = rule else { return };
    let grants = Grants {
        network: vec![rule],
        ..Grants::default()
    };
    let Ok(rule) = grants.rule_for(&target) else {
        return;
    };
    assert!(match &rule.host {
        HostPattern::Name(name) => *name == host,
        HostPattern::Below(parent) => host.ends_with(&format!(".{parent}")),
        HostPattern::Address(address) => target.host == Host::Address(*address),
    });
    assert!(match &rule.path {
        PathPattern::Exact(path) => *path == target.path,
        PathPattern::Below(prefix) => prefix.ends_with('/') && target.path.starts_with(prefix),
    });
    // The path that WHATWG would ask for is within the rule too.
    if let PathPattern::Below(prefix) = &rule.path {
        let depth = prefix.matches('/').count();
        assert!(whatwg.path().matches('/').count() >= depth);
    }
});
