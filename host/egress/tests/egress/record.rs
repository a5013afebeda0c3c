//! What the log is told.

use bytes::Bytes;
use http::StatusCode;
use thoth_egress::{Described, Kind, Outcome};
use tokio::time::Instant;

use crate::bed::{AMPLE, Bed, Canary, NAME, Server, ask, get, hold, with};

#[tokio::test]
async fn every_attempt_is_recorded_with_its_end() {
    let server = Server::saying("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno").await;
    let egress = Bed::open_to(server.port).egress();
    let parts = with(
        get(&server.url("/a?secret=1")),
        &[("x-b", "1"), ("accept", "a"), ("x-b", "2")],
    );
    ask(&egress, &parts).await.unwrap();
    let refused = ask(&egress, &get("http://evil.example/x?y"))
        .await
        .unwrap_err();
    let bad = ask(&egress, &get("http://a@evil.example/"))
        .await
        .unwrap_err();
    let withheld = egress.withhold(
        egress.check(&parts).unwrap(),
        b"body",
        "held back by a human",
    );
    assert_eq!(withheld.kind, Kind::Withheld);
    drop(egress.check(&parts).unwrap());

    let attempts = egress.take_attempts();
    let outcomes: Vec<_> = attempts
        .ended
        .iter()
        .map(|attempt| (attempt.number, attempt.outcome.clone()))
        .collect();
    assert_eq!(
        outcomes,
        [
            (1, Outcome::Answered(StatusCode::NOT_FOUND)),
            (2, Outcome::Refused(refused)),
            (3, Outcome::Refused(bad)),
            (4, Outcome::Refused(withheld)),
            (5, Outcome::Abandoned),
        ]
    );
    let [first, second, third, fourth, fifth] = &attempts.ended[..] else {
        panic!("five attempts");
    };
    assert_eq!(first.target, format!("GET {}", server.url("/a")));
    assert_eq!(second.target, "GET http://evil.example:80/x");
    // A URL that is refused may hold a password.
    assert_eq!(third.target, "GET");
    assert_eq!((first.response_bytes, first.masked), (2, false));
    assert!(first.request_bytes > 0 && !first.duration.is_zero());
    let expected = Described {
        method: "GET".into(),
        scheme: "http".into(),
        host: NAME.into(),
        port: server.port,
        path: "/a".into(),
        query: Some("secret=1".into()),
        header_names: vec!["accept".into(), "x-b".into()],
        body_sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into(),
        body_bytes: 0,
    };
    assert_eq!(first.described.as_ref(), Some(&expected));
    assert_eq!((&second.described, &third.described), (&None, &None));
    assert_eq!(fourth.described.as_ref().unwrap().body_bytes, 4);
    assert_eq!((&fifth.described, fifth.request_bytes), (&None, 0));
    assert_eq!(egress.take_attempts().ended, []);
}

#[tokio::test]
async fn a_request_that_is_cut_off_with_its_call_is_recorded() {
    let (heard, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::start(move |stream, _| {
        heard.send(()).unwrap();
        hold(stream)
    })
    .await;
    let egress = Bed::open_to(server.port).egress();
    let permitted = egress.check(&get(&server.url("/"))).unwrap();
    {
        let sending = egress.send(permitted, Bytes::new(), Instant::now() + AMPLE);
        tokio::select! {
            _ = sending => panic!("nobody answers"),
            _ = requests.recv() => {}
        }
    }
    let attempts = egress.take_attempts().ended;
    assert_eq!(attempts[0].outcome, Outcome::Abandoned);
    assert!(attempts[0].described.is_some() && attempts[0].request_bytes > 0);
}

#[tokio::test]
async fn nothing_leaves_once_the_record_is_full() {
    let canary = Canary::new().await;
    let url = format!("http://{NAME}:{}/", canary.port());
    let mut bed = Bed::open_to(canary.port());
    bed.budgets.requests = u32::MAX;
    let egress = bed.egress();
    for _ in 0..1024 {
        drop(egress.check(&get(&url)).unwrap());
    }
    let refused = egress.check(&get(&url)).unwrap_err();
    assert_eq!(refused.kind, Kind::Budget(thoth_egress::Budget::Records));
    assert_eq!(egress.take_attempts().ended.len(), 1024);
    assert!(egress.check(&get(&url)).is_ok());
    canary.assert_silent().await;
}

#[tokio::test]
async fn whether_the_rule_is_governed_is_seen() {
    for (option, is_governed) in [("govern", true), ("", false)] {
        let rule = format!("https://{NAME}/* GET {option}");
        let egress = Bed::new(&[rule.trim()]).egress();
        let permitted = egress.check(&get(&format!("https://{NAME}/a"))).unwrap();
        assert_eq!(permitted.is_governed(), is_governed);
    }
}
