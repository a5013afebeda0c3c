//! Facts about connections that compete for places.

use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Serves two connections at a time. A request for `/slow` is answered once there is a permit for it.
async fn served() -> (std::net::SocketAddr, Arc<Semaphore>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = Arc::new(Semaphore::new(0));
    let permits = Arc::clone(&slow);
    let service = move |request: Request<Heard>| {
        let permits = Arc::clone(&permits);
        async move {
            let (head, body) = request.into_parts();
            let mut told = body.collect().await.unwrap().to_bytes().to_vec();
            if head.uri.path() == "/slow" {
                permits.acquire().await.unwrap().forget();
            }
            told.extend(b"done");
            Response::new(Full::new(Bytes::from(told)))
        }
    };
    let options = Options {
        connections: 2,
        ..Options::default()
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        serve(listener, options, service, pending()).await.unwrap();
    });
    (address, slow, tasks)
}

/// Reads an answer whole: what was asked comes back, and that it is done.
async fn answered(stream: &mut TcpStream, asked: &str) {
    let mut answer = Vec::new();
    while !answer.ends_with(b"done") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "no answer");
    }
    let told = format!("\r\n\r\n{asked}done");
    assert!(answer.ends_with(told.as_bytes()), "{answer:?}");
}

#[tokio::test]
async fn clients_that_say_nothing_keep_nobody_out() {
    let (address, _slow, _server) = served().await;
    let mut silent = Vec::new();
    // Half a head is as little as none, and so is half a body.
    let half: [&[u8]; 3] = [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
    ];
    for said in half.into_iter().cycle().take(9) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        silent.push(stream);
    }
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(REQUEST).await.unwrap();
    answered(&mut client, "").await;
    let mut first = silent.remove(0);
    let closed = first.read(&mut [0; 1]).await;
    assert!(closed.is_err() || closed.is_ok_and(|read| read == 0));
}

#[tokio::test]
async fn a_connection_whose_request_is_under_way_keeps_its_place() {
    let (address, slow, _server) = served().await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
        .await
        .unwrap();
    let mut idle = Vec::new();
    for _ in 0..4 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(REQUEST).await.unwrap();
        answered(&mut client, "").await;
        idle.push(client);
    }
    slow.add_permits(1);
    answered(&mut busy, "x").await;
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let service = |_: Request<Heard>| async { Response::new(Full::<Bytes>::default()) };
    let error = serve(listener, Options::default(), service, pending()).await;
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
}
