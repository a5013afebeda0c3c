//! From an origin to a stream: resolve, connect, prove the server's name.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::resolve::Resolver;
use crate::stream::Carrier;
use crate::{ClientError, Fault, Options, Origin, Stage, tls};

/// Opens connections to one origin.
pub(crate) struct Dialer {
    origin: Origin,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    resolver: Resolver,
}

impl Dialer {
    pub(crate) fn new(origin: Origin, options: &Options) -> Result<Self, ClientError> {
        let tls = if origin.is_tls() {
            let config: Arc<ClientConfig> = tls::config(options.ca_file.as_deref())?;
            Some((TlsConnector::from(config), server_name(&origin)?))
        } else {
            None
        };
        Ok(Self {
            origin,
            tls,
            resolver: Resolver::system(),
        })
    }

    /// A TCP connection to the first address that takes one.
    pub(crate) async fn connect(&self, deadline: Instant) -> Result<TcpStream, Fault> {
        let addresses = timeout_at(deadline, self.resolve())
            .await
            .unwrap_or_else(|_| {
                Err(Fault::Unreachable(
                    Stage::Resolve,
                    "the name was not resolved within the time limit".to_owned(),
                ))
            })?;
        connect_any(addresses, deadline).await
    }

    /// The TLS handshake, where the origin has TLS.
    pub(crate) async fn secure(&self, tcp: TcpStream) -> Result<Carrier, Fault> {
        match &self.tls {
            None => Ok(Carrier::Tcp(tcp)),
            Some((connector, name)) => handshake(connector, name.clone(), tcp).await,
        }
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, Fault> {
        let port = self.origin.port();
        if let Some(address) = self.origin.address() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let addresses = self.resolver.addresses(self.origin.host(), port).await?;
        permitted(&self.origin, addresses)
    }
}

/// The TLS handshake: the server must prove that it has this name.
pub(crate) async fn handshake(
    connector: &TlsConnector,
    name: ServerName<'static>,
    tcp: TcpStream,
) -> Result<Carrier, Fault> {
    match connector.connect(name, tcp).await {
        Ok(stream) => Ok(Carrier::Tls(Box::new(stream))),
        Err(error) => Err(match tls_problem(&error) {
            Some(problem) => Fault::Tls(problem),
            None => Fault::Unreachable(
                Stage::Exchange,
                format!("in the tls handshake: {}", describe(&error)),
            ),
        }),
    }
}

/// Tries one address after the other. Each gets an equal share of the time that is left, so that one
/// that swallows packets does not use up the turn of the next.
pub(crate) async fn connect_any(
    addresses: Vec<SocketAddr>,
    deadline: Instant,
) -> Result<TcpStream, Fault> {
    let mut last = "the name has no address".to_owned();
    let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let now = Instant::now();
        let share = now + deadline.saturating_duration_since(now) / left.max(1);
        left = left.saturating_sub(1);
        match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Nagle's algorithm holds back a small request. Only a wait, so no fault.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = format!("{address}: {}", describe(&error)),
            Err(_) => last = format!("{address}: no connection within the time limit"),
        }
    }
    Err(Fault::Unreachable(Stage::Connect, last))
}

/// The addresses that may be connected to. `localhost` may be sent in the clear, so it must not be
/// made to mean another machine. Any other name is proved by TLS, wherever it leads.
fn permitted(origin: &Origin, mut addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Fault> {
    if origin.is_localhost() {
        addresses.retain(|address| address.ip().is_loopback());
        if addresses.is_empty() {
            let problem = "`localhost` has no loopback address; write `127.0.0.1`";
            return Err(Fault::Unreachable(Stage::Resolve, problem.to_owned()));
        }
    }
    Ok(addresses)
}

fn server_name(origin: &Origin) -> Result<ServerName<'static>, ClientError> {
    match origin.address() {
        Some(address) => Ok(ServerName::from(address)),
        None => ServerName::try_from(origin.host().to_owned())
            .map_err(|_| rustls::Error::General("the host is no server name".to_owned()).into()),
    }
}

/// What TLS itself has to say of an error, if it was the one to fail.
pub(crate) fn tls_problem(error: &io::Error) -> Option<String> {
    error
        .get_ref()?
        .downcast_ref::<rustls::Error>()
        .map(ToString::to_string)
}

/// An I/O error without its number, which is not the same on every system.
pub(crate) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::Other | io::ErrorKind::InvalidData => error.to_string(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn localhost_is_only_ever_this_machine() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let here = ["[::1]:1", "127.0.0.1:1"].map(parse).to_vec();
        let mixed = [
            "10.0.0.1:1",
            "[::1]:1",
            "127.0.0.1:1",
            "[::ffff:127.0.0.1]:1",
        ]
        .map(parse)
        .to_vec();
        let permitted =
            |url, found: &Vec<_>| permitted(&Origin::parse(url).unwrap(), found.clone());
        assert_eq!(permitted("http://localhost:1", &mixed).as_ref(), Ok(&here));
        assert_eq!(permitted("https://localhost:1", &mixed).as_ref(), Ok(&here));
        assert_eq!(
            permitted("https://e.example:1", &mixed).as_ref(),
            Ok(&mixed)
        );
        let hijacked = permitted("http://localhost:1", &vec![parse("10.0.0.1:1")]);
        assert!(matches!(
            hijacked,
            Err(Fault::Unreachable(Stage::Resolve, _))
        ));
    }

    /// A full backlog drops the packets that open a connection, as an unroutable address does.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_swallows_packets_leaves_time_for_the_next() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(0).unwrap();
        let swallows = full.local_addr().unwrap();
        let short = Duration::from_millis(200);
        let mut fill = Vec::new();
        while let Ok(stream) = timeout(short, TcpStream::connect(swallows)).await {
            fill.push(stream.unwrap());
        }
        let healthy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = healthy.local_addr().unwrap();
        let deadline = Instant::now() + 2 * short;
        let stream = connect_any(vec![swallows, address], deadline)
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert!(Instant::now() < deadline);
    }
}
