//! How connections are accepted, before a byte of HTTP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Handle,
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;

use super::{Faultd, Shared, Step, serve, tls::Identity};

/// Enough for every test that runs at once.
const BACKLOG: u32 = 128;

/// What happens to a connection.
pub enum Listener {
    /// HTTP.
    Plain,
    /// HTTP in TLS, with this identity.
    Tls(Identity),
    /// These steps on a plain connection, without reading a byte first; the URL says `http`.
    Steps(Vec<Step>),
    /// These steps on a plain connection, without reading a byte first; the URL says `https`.
    StepsForTls(Vec<Step>),
    /// The connection is never accepted: the kernel's queue is full.
    Full,
}

impl Listener {
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::StepsForTls(_))
    }
}

/// A port that refuses connections, and that nobody else can take meanwhile.
pub struct Refused(TcpSocket);

impl Refused {
    /// Takes a port and does not listen on it.
    ///
    /// # Panics
    ///
    /// If no port of the loopback interface can be had.
    #[must_use]
    pub fn take() -> Self {
        Self(bound())
    }

    /// The base URL of the service that is not there.
    ///
    /// # Panics
    ///
    /// If the socket has no address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("an address"))
    }

    /// Starts the service that was not there.
    #[must_use]
    pub fn listen(self) -> Faultd {
        Faultd::on(self.0, Listener::Plain)
    }
}

/// A socket on a port of its own that does not listen yet.
pub(crate) fn bound() -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .expect("a port");
    socket
}

/// The listener of a service, which can be exchanged while it runs.
pub(crate) struct Door {
    listener: Mutex<Arc<Listener>>,
    exchanged: Notify,
}

impl Door {
    pub(crate) fn new(listener: Listener) -> Arc<Self> {
        Arc::new(Self {
            listener: Mutex::new(Arc::new(listener)),
            exchanged: Notify::new(),
        })
    }

    pub(crate) fn exchange(&self, listener: Listener) {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(listener);
        self.exchanged.notify_one();
    }

    fn listener(&self) -> Arc<Listener> {
        Arc::clone(&self.listener.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts to listen, and tells where.
pub(crate) fn spawn(
    runtime: &Handle,
    socket: TcpSocket,
    door: Arc<Door>,
    shared: Arc<Shared>,
) -> SocketAddr {
    let _inside = runtime.enter();
    let full = matches!(*door.listener(), Listener::Full);
    let tcp = socket
        .listen(if full { 0 } else { BACKLOG })
        .expect("a listener");
    let address = tcp.local_addr().expect("an address");
    drop(runtime.spawn(async move {
        if full {
            fill(address, &door.exchanged).await;
        }
        accept(tcp, door, shared).await;
    }));
    address
}

async fn accept(tcp: TcpListener, door: Arc<Door>, shared: Arc<Shared>) {
    while let Ok((stream, _)) = tcp.accept().await {
        // Small answers go out at once, and a drip is a drip.
        let _ = stream.set_nodelay(true);
        shared.connected();
        tokio::spawn(connection(stream, door.listener(), Arc::clone(&shared)));
    }
}

async fn connection(stream: TcpStream, listener: Arc<Listener>, shared: Arc<Shared>) {
    match &*listener {
        Listener::Plain => serve::requests(stream, &shared, true).await,
        Listener::Steps(steps) | Listener::StepsForTls(steps) => {
            serve::steps(stream, steps, &shared).await;
        }
        Listener::Tls(identity) => {
            let acceptor = TlsAcceptor::from(identity.config());
            if let Ok(secured) = acceptor.accept(stream).await {
                serve::requests(secured, &shared, identity.says_goodbye()).await;
            }
        }
        Listener::Full => {}
    }
}

/// Keeps the queue of a listener full, so that nobody else gets in, until the listener is exchanged.
async fn fill(address: SocketAddr, exchanged: &Notify) {
    let queued: Vec<_> = (0..4)
        .map(|_| tokio::spawn(TcpStream::connect(address)))
        .collect();
    exchanged.notified().await;
    queued.iter().for_each(tokio::task::JoinHandle::abort);
}
