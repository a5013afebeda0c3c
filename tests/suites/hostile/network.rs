//! Tools that send what no client library would, to where they may not.

use std::sync::LazyLock;

use serde_json::{Value, json};
use thoth_tests::Web;

use super::row::{Row, rust};

/// Where no request may ever arrive.
pub(crate) static CANARY: LazyLock<Web> = LazyLock::new(Web::start);

/// Where requests to `/v1/` are granted, in the rows that say so.
pub(crate) static GRANTED: LazyLock<Web> = LazyLock::new(Web::start);

/// The tool is told no, and goes on.
const TOLD: &[&str] = &["tool_error"];

pub(crate) fn rows() -> Vec<Row> {
    [
        ungranted(),
        granted(),
        lookalikes(),
        private(),
        headers(),
        floods(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn request(method: &str, scheme: &str, authority: &str, path: &str) -> Value {
    json!({"request": {
        "method": method, "scheme": scheme, "authority": authority, "path": path,
        "headers": [], "body": 0,
    }})
}

fn sends(id: &'static str, what: &str, request: Value) -> Row {
    rust(id, "sends").given(request).called(what)
}

/// Without a grant there is no way out.
fn ungranted() -> Vec<Row> {
    let canary = format!("127.0.0.1:{}", CANARY.port());
    vec![
        sends(
            "H11",
            "sends without a grant",
            request("GET", "http", &canary, "/"),
        )
        .fails(TOLD),
        rust("H11", "sends_at_once")
            .given(json!({"authority": canary, "count": 1_000}))
            .gives(|answers| answers == &json!(0)),
        rust("H11", "sends_headers")
            .given(json!({"authority": canary, "count": 32_769}))
            .fails(&["tool_error", "trap"]),
        rust("H11", "sends_without_end")
            .given(json!({ "authority": canary }))
            .runs_out_of_time()
            .fails(TOLD),
    ]
}

/// The rows below mean something only if this one gets through.
fn granted() -> Vec<Row> {
    let authority = format!("127.0.0.1:{}", GRANTED.port());
    let get = |path: &str| request("GET", "http", &authority, path);
    vec![
        sends("H11", "sends what is granted", get("/v1/items.json"))
            .flags(way_out())
            .gives(|status| status == &json!(200)),
        // The way to `/secret` is open to whoever follows.
        sends("H11", "is sent elsewhere", get("/v1/redirect"))
            .flags(way_out())
            .gives(|status| status == &json!(302)),
    ]
}

fn way_out() -> [String; 2] {
    let rule = format!("{}/v1/* GET,POST allow-private", GRANTED.origin());
    ["--allow-net".into(), rule]
}

/// What is granted is `https://api.example.com/v1/`, at the canary's port.
fn lookalikes() -> Vec<Row> {
    let port = CANARY.port();
    let rule = format!("https://api.example.com:{port}/v1/* GET,POST");
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "localhost",
        "localhost.",
        "api.example.com@127.0.0.1",
        "user:word@127.0.0.1",
        "api.example.com.127.0.0.1.nip.io",
        "127。0。0。1",
        "xn--pi-8ia.example.com",
    ];
    let mut requests: Vec<(String, Value)> = hosts
        .iter()
        .flat_map(|host| ["http", "https"].map(|scheme| (host, scheme)))
        .map(|(host, scheme)| {
            let request = request("GET", scheme, &format!("{host}:{port}"), "/v1/a");
            (format!("sends to {scheme}://{host}"), request)
        })
        .collect();
    let named = format!("api.example.com:{port}");
    let canary = format!("127.0.0.1:{port}");
    for path in [
        "/v1/../secret",
        "/v1/%2e%2e/secret",
        "/v1/..%2fsecret",
        "/v1\\..\\secret",
        "//v1/a",
        "/v2/a",
        "/v1/a\r\nHost: 127.0.0.1\r\n\r\nGET /secret HTTP/1.1",
        "/v1/a b",
        "/v1/a\0",
        "http://127.0.0.1/secret",
    ] {
        let request = request("GET", "https", &named, path);
        requests.push((format!("asks for {path:?}"), request));
    }
    for (method, scheme) in [
        ("CONNECT", "https"),
        ("CONNECT", "http"),
        ("TRACE", "https"),
        ("get", "https"),
        ("GET / HTTP/1.1\r\nX:", "https"),
        ("GET", "ftp"),
        ("GET", "file"),
        ("GET", ""),
    ] {
        let request = request(method, scheme, &canary, "/v1/a");
        requests.push((format!("sends {method:?} by {scheme:?}"), request));
    }
    let row = |(what, request): (String, Value)| {
        sends("H11", &what, request)
            .flags(["--allow-net", &rule])
            .fails(TOLD)
    };
    requests.into_iter().map(row).collect()
}

/// Addresses that are granted by name, and are refused all the same: without `allow-private` none of
/// them is connected to. A rule that could never let anything through may be refused as such.
fn private() -> Vec<Row> {
    let port = CANARY.port();
    let hosts = [
        "localhost",
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.168.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[fc00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[2001:db8::1]",
    ];
    let row = |host: &str| {
        let rule = format!("https://{host}:{port}/* GET");
        let request = request("GET", "https", &format!("{host}:{port}"), "/");
        sends("H12", &format!("is granted https://{host}"), request)
            .flags(["--allow-net", &rule])
            .fails(TOLD)
            .stays_out(&[
                "allow-private",
                "private",
                "loopback",
                "reserved",
                "special",
            ])
    };
    hosts.into_iter().map(row).collect()
}

/// Header fields that are the host's own business.
fn headers() -> Vec<Row> {
    let authority = format!("127.0.0.1:{}", GRANTED.port());
    let rows = [
        ("host", "127.0.0.1:1"),
        ("transfer-encoding", "chunked"),
        ("content-length", "7"),
        ("connection", "x-mine"),
        ("upgrade", "h2c"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic eDp5"),
        ("authorization", "Bearer stolen"),
        ("cookie", "session=stolen"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-api-key", "stolen"),
        ("expect", "100-continue"),
        ("x-line", "a\r\nx-other: b"),
        ("x line", "a"),
    ];
    let mut rows: Vec<Row> = rows
        .into_iter()
        .map(|(name, value)| {
            let mut request = request("GET", "http", &authority, "/v1/items.json");
            request["request"]["headers"] = json!([[name, value]]);
            sends("H11", &format!("sets {name:?}"), request)
                .flags(way_out())
                .fails(TOLD)
        })
        .collect();
    let mut twice = request("POST", "http", &authority, "/v1/items.json");
    twice["request"]["headers"] = json!([["content-length", "0"], ["content-length", "5"]]);
    twice["request"]["body"] = json!(5);
    rows.push(
        sends("H11", "gives two lengths", twice)
            .flags(way_out())
            .fails(TOLD),
    );
    rows.push(
        rust("H11", "sends_headers")
            .called("sets 32,769 headers")
            .given(json!({"authority": authority, "count": 32_769}))
            .flags(way_out())
            .fails(&["tool_error", "trap"]),
    );
    rows
}

/// More than there may be, and slower.
fn floods() -> Vec<Row> {
    let authority = format!("127.0.0.1:{}", GRANTED.port());
    let gets = |path: &str| {
        rust("H11", "gets_all")
            .with(json!({"authority": authority, "path": path}))
            .called(&format!("gets {path}"))
            .flags(way_out())
    };
    vec![
        rust("H11", "sends_at_once")
            .called("sends 10,000 at once")
            .given(json!({"authority": authority, "count": 10_000}))
            .flags(way_out())
            .fails(&["limit_requests", "limit_resources"])
            .gives(|answers| answers.as_u64().is_some_and(|answers| answers <= 32)),
        rust("H11", "sends_without_end")
            .called("sends a body without an end, for an hour")
            .given(json!({ "authority": authority }))
            .flags(way_out())
            .runs_out_of_time()
            .fails(&["tool_error", "limit_transfer"]),
        gets("/v1/silence").runs_out_of_time().fails(TOLD),
        gets("/v1/bomb").fails(&["tool_error", "limit_transfer"]),
    ]
}
