//! What a wassette `policy.yaml` becomes, and what it cannot become.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::path::PathBuf;

use thoth_grants::wassette::{self, Policy};
use thoth_grants::{Bytes, ConfigError};

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        fs::create_dir_all(path.join("data/agent")).unwrap();
        fs::create_dir(path.join("out")).unwrap();
        fs::write(path.join("file"), "").unwrap();
        Self {
            _folder: folder,
            path,
        }
    }

    fn permissions(&self, text: &str) -> Result<Policy, ConfigError> {
        let text = text.replace("$HERE", &self.path.display().to_string());
        wassette::parse(
            &format!("version: \"1.0\"\npermissions:\n{text}"),
            &self.path,
        )
    }
}

#[test]
fn what_it_allows_is_granted() {
    let place = Place::new();
    let here = place.path.display();
    let policy = place
        .permissions(
            "  storage:
    allow:
    - uri: fs://data/agent/**
      access: [read, write]
    - uri: fs://$HERE/out
      access:
      - read
  network:
    allow:
    - host: \"*.example.com\"
    - host: api.example.com
    - host: https://Other.example:8443/
    - host: http://localhost:11434
    - host: 10.0.0.5
  environment:
    allow:
    - key: LANG
    - key: LANG
  resources:
    limits:
      memory: 512Mi
",
        )
        .unwrap();
    let methods = "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS";
    assert_eq!(
        policy.grants.to_string(),
        format!(
            "network      {methods} https://*.example.com:443/*\n\
             network      {methods} https://other.example:8443/*\n\
             network      {methods} http://localhost:11434/*  private addresses too\n\
             network      {methods} https://10.0.0.5:443/*  private addresses too\n\
             files        /data/agent = {here}/data/agent  read-write\n\
             files        {here}/out = {here}/out  read-only\n\
             environment  LANG"
        )
    );
    assert_eq!(policy.limits.memory, Some(Bytes(512 << 20)));
    let [warning] = &policy.warnings[..] else {
        panic!("{:?}", policy.warnings)
    };
    assert_eq!(warning.line, 12);
    assert!(warning.message.contains("https at port 443 only"));
}

#[test]
fn an_empty_list_grants_nothing() {
    let place = Place::new();
    for text in [
        "version: '1.0'",
        "version: 1.1\npermissions:\n",
        "$schema: x\ndescription: y\nversion: 1\npermissions: {}",
        "version: '1.0'\npermissions: {network: {allow: [], deny: []}, storage: {}}",
    ] {
        let policy = wassette::parse(text, &place.path);
        // A bare `1` is a number, and no version.
        match text.contains("version: 1\n") {
            true => assert!(policy.is_err()),
            false => assert_eq!(policy.unwrap(), Policy::default(), "{text}"),
        }
    }
}

#[test]
fn nested_folders_with_the_same_rights_are_one() {
    let place = Place::new();
    let policy = place
        .permissions(
            "  storage:\n    allow:\n    - {uri: fs://$HERE/data/agent, access: [read]}\n    - {uri: fs://$HERE, access: [read]}\n",
        )
        .unwrap();
    assert_eq!(policy.grants.files.len(), 1);
    assert_eq!(policy.grants.files[0].host, place.path);
}

#[test]
fn what_cannot_be_said_is_left_out_and_said() {
    let place = Place::new();
    for (text, words) in [
        (
            "  storage: {allow: [{uri: fs://data/*, access: [read]}]}",
            "only whole folders",
        ),
        (
            "  storage: {allow: [{uri: fs://data/*/x, access: [read]}]}",
            "only whole folders",
        ),
        (
            "  storage: {allow: [{uri: 'fs://**', access: [read]}]}",
            "only whole folders",
        ),
        (
            "  storage: {allow: [{uri: 'fs://', access: [read]}]}",
            "only whole folders",
        ),
        (
            "  storage: {allow: [{uri: fs://file, access: [read]}]}",
            "a single file",
        ),
        (
            "  storage: {allow: [{uri: fs://data, access: [write]}]}",
            "writing without reading",
        ),
        (
            "  storage: {allow: [{uri: http://data, access: [read]}]}",
            "only `fs://`",
        ),
        ("  network: {allow: [{cidr: 10.0.0.0/8}]}", "address ranges"),
        ("  network: {allow: [{defaults: true}]}", "address ranges"),
        (
            "  network: {allow: [{host: http://a.example}]}",
            "plain http",
        ),
        (
            "  network: {allow: [{host: http://10.0.0.5}]}",
            "plain http",
        ),
        (
            "  resources: {limits: {cpu: 500m}}",
            "a share of a processor",
        ),
        ("  resources: {cpu: 0.5}", "a share of a processor"),
        ("  resources: {io: 5}", "a share of a processor"),
        (
            "  runtime: {docker: {security: {privileged: true}}}",
            "`runtime` grants nothing",
        ),
        ("  ipc: {allow: [{uri: x}]}", "`ipc` grants nothing"),
    ] {
        let policy = place.permissions(text).expect(text);
        assert_eq!(policy.grants.to_string(), "nothing", "{text}");
        assert_eq!(policy.limits, Policy::default().limits, "{text}");
        assert_eq!(policy.warnings.len(), 1, "{text}");
        assert_eq!(policy.warnings[0].line, 3, "{text}");
        assert!(policy.warnings[0].message.contains(words), "{text}");
    }
}

#[test]
fn memory_has_the_units_of_wassette() {
    let place = Place::new();
    for (text, bytes) in [
        ("limits: {memory: 256Ki}", 256 << 10),
        ("limits: {memory: \"1Gi\"}", 1 << 30),
        ("limits: {memory: \"1048576\"}", 1 << 20),
        ("limits: {memory: 512}", 512 << 20),
        ("memory: 128", 128 << 20),
        ("{memory: 128, limits: {memory: 64Mi}}", 64 << 20),
        ("limits: {memory: 4Gi}", 1 << 30),
    ] {
        let text = format!("  resources:\n    {text}");
        let policy = place.permissions(&text).expect(&text);
        assert_eq!(policy.limits.memory, Some(Bytes(bytes)), "{text}");
    }
    for size in [
        "0",
        "0Mi",
        "-1",
        "1MB",
        "1.5Gi",
        "Mi",
        "99999999999Ti",
        "[1]",
    ] {
        let text = format!("  resources:\n    limits: {{memory: {size}}}");
        assert!(place.permissions(&text).is_err(), "{text}");
    }
}

#[test]
fn what_would_widen_or_is_misspelt_is_an_error_with_its_line() {
    let place = Place::new();
    for (text, words) in [
        (
            "  network: {allow: [{host: a.example}], deny: [{host: b.example}]}",
            "exceptions from what",
        ),
        (
            "  storage:\n    deny:\n    - {uri: fs://x, access: [read]}",
            "5:7: exceptions from what",
        ),
        (
            "  environment: {deny: [{key: A}]}",
            "there is no key `deny` here",
        ),
        (
            "  netwrk: {}",
            "3:3: there is no key `netwrk` here: did you mean `network`?",
        ),
        ("  network: {alow: []}", "did you mean `allow`?"),
        ("  network: {allow: [{hst: a.b}]}", "did you mean `host`?"),
        ("  network: {allow: {host: a.b}}", "expected a list"),
        (
            "  network: {allow: [{host: '*'}]}",
            "neither a leading `*.`",
        ),
        (
            "  network: {allow: [{host: '*.com'}]}",
            "at least two labels",
        ),
        (
            "  network: {allow: [{host: 'a.b:8080'}]}",
            "write `https://a.b:8080`",
        ),
        ("  network: {allow: [{host: 'u@a.b'}]}", "has a user name"),
        ("  network: {allow: [{host: '127.1'}]}", "do not agree"),
        (
            "  network: {allow: [{host: ftp://a.b}]}",
            "neither http nor https",
        ),
        ("  network: {allow: [{host: ''}]}", "the string is empty"),
        (
            "  storage: {allow: [{uri: fs://none, access: [read]}]}",
            "cannot find the folder",
        ),
        (
            "  storage: {allow: [{uri: fs://data/../out, access: [read]}]}",
            "cannot be a path",
        ),
        (
            "  storage: {allow: [{uri: fs://data, access: []}]}",
            "the access is empty",
        ),
        (
            "  storage: {allow: [{uri: fs://data, access: [reed]}]}",
            "did you mean `read`?",
        ),
        (
            "  storage: {allow: [{uri: fs://data}]}",
            "the key `access` is missing",
        ),
        (
            "  storage: {allow: [{uri: fs://data, access: [read]}, {uri: fs://data, access: [read, write]}]}",
            "are one or lie in each other",
        ),
        ("  environment: {allow: [{key: A*}]}", "is not the name"),
        (
            "  environment: {allow: [{key: THOTH_API_KEY}]}",
            "this program's own",
        ),
    ] {
        let error = match place.permissions(text) {
            Err(error) => error.to_string(),
            Ok(policy) => panic!("{text} became {policy:?}"),
        };
        assert!(error.contains(words), "{text}: {error}");
        assert!(!error.contains(char::is_control), "{error}");
    }
    for text in [
        "permissions: {}",
        "version: '2.0'",
        "version: '1.0'\nx: 1",
        "- a",
        "a",
    ] {
        assert!(wassette::parse(text, &place.path).is_err(), "{text}");
    }
}

#[test]
fn a_file_is_read_from_where_it_is() {
    let place = Place::new();
    let file = place.path.join("policy.yaml");
    fs::write(&file, "version: '1.0'\npermissions:\n  storage:\n    allow:\n    - uri: fs://data\n      access: [read]\n").unwrap();
    let policy = wassette::read(&file).unwrap();
    assert_eq!(policy.grants.files[0].host, place.path.join("data"));
    fs::write(&file, "version: '1.0'\nx: 1\n").unwrap();
    let error = wassette::read(&file).unwrap_err().to_string();
    assert!(
        error.contains("policy.yaml:2:1: there is no key `x`"),
        "{error}"
    );
}
