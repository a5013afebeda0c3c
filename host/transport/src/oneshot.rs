//! One exchange with any server, on a connection of its own.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::connection::Connection;
use crate::dial::{connect_any, handshake};
use crate::outgoing::Outgoing;
use crate::resolve::{Lookup, Resolver};
use crate::stream::Carrier;
use crate::{Allowance, ClientError, Fault, Options, special_use, tls};

/// How long a name may take to resolve.
const LOOKUP_TIME: Duration = Duration::from_secs(5);

/// How many addresses of a name are tried: a name server must not make a scanner of us.
const MAX_TRIED: usize = 8;

/// A server, as whoever decided about the request has parsed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Whether the connection is encrypted and the server must prove its name.
    pub is_tls: bool,
    /// The host; sent in `Host` and by SNI exactly so.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// Which addresses the host may have.
    pub reach: Reach,
}

/// A host by name or by address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name in lower-case ASCII, without a trailing dot.
    Name(String),
    /// An address; never resolved.
    Address(IpAddr),
}

/// Which addresses a host may have. *All* that its name resolves to must fit, or none is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The public internet: none of a [`special_use`] range.
    Public,
    /// Any address.
    Private,
    /// This machine, by `127.0.0.0/8` or `::1`.
    Loopback,
}

/// How far an exchange got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The request was looked at.
    Check,
    /// The name was looked up, and its addresses checked.
    Resolve,
    /// A TCP connection was opened.
    Connect,
    /// The TLS handshake, the request and the response.
    Exchange,
}

/// Why a [`OneShot`] has no response to give. After [`Stage::Check`] and [`Stage::Resolve`] nothing
/// was sent to the destination; after [`Stage::Connect`], no request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{fault}")]
pub struct Failed {
    /// Where it ended.
    pub stage: Stage,
    /// What happened there.
    pub fault: Fault,
}

/// Sends each request on a new connection, which is closed after it.
///
/// No two exchanges share anything that a server or a guest can see: no connection, no TLS session.
/// Redirects come back as they are. The environment is not read. At most 64 KiB and 64 lines of
/// headers either way; at most four names are looked up at a time.
pub struct OneShot {
    resolver: Resolver,
    connector: TlsConnector,
    /// Those of heads; the body is bounded by an [`Allowance`].
    limits: Options,
}

impl OneShot {
    /// Trusts the public web's authorities, and those of a PEM file if there is one. Names are looked
    /// up as the system does.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the CA file cannot be read or has something but certificates.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, ClientError> {
        Self::over(ca_file, Resolver::system())
    }

    /// As [`new`](Self::new), with another way to look names up. Its answers are checked like any.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_lookup(ca_file: Option<&Path>, lookup: Lookup) -> Result<Self, ClientError> {
        Self::over(ca_file, Resolver::new(lookup))
    }

    fn over(ca_file: Option<&Path>, resolver: Resolver) -> Result<Self, ClientError> {
        let mut config = ClientConfig::clone(&*tls::config(ca_file)?);
        // A resumed session would tell a server that two calls come from one place.
        config.resumption = Resumption::disabled();
        Ok(Self {
            resolver,
            connector: TlsConnector::from(Arc::new(config)),
            limits: Options::default(),
        })
    }

    /// Sends one request and gives back one whole response, whatever its status is.
    ///
    /// The request's target is a path with an optional query; `Host` and the other headers of the
    /// connection are set here. The name is resolved once, every answer is checked against
    /// [`Destination::reach`], and the connection goes to one of exactly these addresses. The
    /// response's body is charged to `allowance` as it comes in.
    ///
    /// `deadline` covers everything; resolving also ends after five seconds. Nothing is ever sent
    /// twice.
    ///
    /// # Errors
    ///
    /// [`Failed`]: the [`Fault`], and how far it got.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection. The server may have got the request.
    pub async fn send(
        &self,
        destination: &Destination,
        request: Request<Bytes>,
        allowance: &Allowance,
        deadline: Instant,
    ) -> Result<Response<Bytes>, Failed> {
        let at = |stage| move |fault| Failed { stage, fault };
        let outgoing = self
            .outgoing(destination, request, deadline)
            .map_err(at(Stage::Check))?;
        let addresses = self
            .addresses(destination, deadline)
            .await
            .map_err(at(Stage::Resolve))?;
        let tcp = connect(addresses, deadline)
            .await
            .map_err(at(Stage::Connect))?;
        let exchange = async {
            let carrier = self.secure(destination, tcp).await?;
            let mut connection = Connection::new(carrier, &self.limits).await?;
            connection.exchange(outgoing.to_request(), allowance).await
        };
        timeout_at(deadline, exchange)
            .await
            .unwrap_or(Err(Fault::Timeout))
            .map_err(at(Stage::Exchange))
    }

    fn outgoing(
        &self,
        destination: &Destination,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> Result<Outgoing, Fault> {
        if Instant::now() >= deadline {
            return Err(Fault::Timeout);
        }
        let (parts, body) = request.into_parts();
        if !is_origin_form(&parts.uri) {
            let problem = "the target of the request must be a path".to_owned();
            return Err(Fault::NotAllowed(problem));
        }
        let host = HeaderValue::from_str(&destination.authority())
            .map_err(|_| Fault::NotAllowed("the host is no header value".to_owned()))?;
        Outgoing::to(parts.uri.clone(), &host, parts, body, &self.limits)
    }

    async fn addresses(
        &self,
        destination: &Destination,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, Fault> {
        let mut addresses = match &destination.host {
            Host::Address(address) => vec![SocketAddr::new(*address, destination.port)],
            Host::Name(name) => {
                let lookup = self.resolver.addresses(name, destination.port);
                let until = deadline.min(Instant::now() + LOOKUP_TIME);
                timeout_at(until, lookup)
                    .await
                    .unwrap_or(Err(Fault::Timeout))?
            }
        };
        // INVARIANT: before anything is cut off or connected to, every answer is checked.
        for address in &addresses {
            destination.reach.admit(address.ip())?;
        }
        if addresses.is_empty() {
            let problem = "the name has no address".to_owned();
            return Err(Fault::Unreachable(Stage::Resolve, problem));
        }
        addresses.truncate(MAX_TRIED);
        Ok(addresses)
    }

    async fn secure(&self, destination: &Destination, tcp: TcpStream) -> Result<Carrier, Fault> {
        if !destination.is_tls {
            return Ok(Carrier::Tcp(tcp));
        }
        let name = match &destination.host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_| Fault::Tls("the host is no server name".to_owned()))?,
        };
        handshake(&self.connector, name, tcp).await
    }
}

impl Destination {
    /// Host and port as in a `Host` header.
    fn authority(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl Reach {
    fn admit(self, ip: IpAddr) -> Result<(), Fault> {
        let problem = match self {
            Self::Private => None,
            Self::Public => special_use(ip).map(|range| format!("special-use: {range}")),
            Self::Loopback => (!ip.is_loopback()).then(|| "not of this machine".to_owned()),
        };
        match problem {
            None => Ok(()),
            Some(problem) => Err(Fault::NotAllowed(format!(
                "the host has the address {ip}, which is {problem}"
            ))),
        }
    }
}

/// Running out of time is told apart from being turned away.
async fn connect(addresses: Vec<SocketAddr>, deadline: Instant) -> Result<TcpStream, Fault> {
    let connected = connect_any(addresses, deadline).await;
    connected.map_err(|fault| match Instant::now() >= deadline {
        true => Fault::Timeout,
        false => fault,
    })
}

fn is_origin_form(uri: &Uri) -> bool {
    uri.scheme().is_none()
        && uri.authority().is_none()
        && uri.path().starts_with('/')
        && !uri.path().starts_with("//")
        && uri
            .path_and_query()
            .is_some_and(|target| target.as_str().is_ascii())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Beside the code, since a test must not connect to the public address.
    #[tokio::test]
    async fn a_rebinding_resolver_is_asked_once_and_its_answer_is_what_is_connected_to() {
        let turn = AtomicUsize::new(0);
        let client = OneShot::with_lookup(
            None,
            Arc::new(move |_, _| {
                let answers = ["1.1.1.1:1", "127.0.0.1:1"];
                let answer = answers[turn.fetch_add(1, SeqCst)];
                Ok(vec![answer.parse().unwrap()])
            }),
        )
        .unwrap();
        let destination = Destination {
            is_tls: true,
            host: Host::Name("rebinds.example".to_owned()),
            port: 443,
            reach: Reach::Public,
        };
        let deadline = Instant::now() + LOOKUP_TIME;
        let first = client.addresses(&destination, deadline).await.unwrap();
        assert_eq!(first, ["1.1.1.1:443".parse().unwrap()]);
        let second = client.addresses(&destination, deadline).await;
        assert!(matches!(second, Err(Fault::NotAllowed(_))), "{second:?}");
    }

    #[tokio::test]
    async fn many_answers_are_all_checked_and_few_are_tried() {
        for (last, fits) in [("1.1.1.1:1", true), ("127.0.0.1:1", false)] {
            let client = OneShot::with_lookup(
                None,
                Arc::new(move |_, _| {
                    let mut answers = vec!["1.1.1.1:1".parse().unwrap(); 100];
                    answers.push(last.parse().unwrap());
                    Ok(answers)
                }),
            )
            .unwrap();
            let destination = Destination {
                is_tls: true,
                host: Host::Name("many.example".to_owned()),
                port: 443,
                reach: Reach::Public,
            };
            let deadline = Instant::now() + LOOKUP_TIME;
            let found = client.addresses(&destination, deadline).await;
            assert_eq!(
                found.map(|found| found.len()).ok(),
                fits.then_some(MAX_TRIED)
            );
        }
    }
}
