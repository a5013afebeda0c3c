//! What is asked of the host too often, for too long, or without a grant.

use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    http::types::{Fields, OutgoingRequest},
    io::poll::poll,
    sockets::{
        instance_network::instance_network,
        ip_name_lookup::resolve_addresses,
        network::{IpAddressFamily, IpSocketAddress, Ipv4SocketAddress},
        tcp_create_socket::create_tcp_socket,
        udp_create_socket::create_udp_socket,
    },
};

use crate::{Event, Thing};

/// Takes things until the host says no, which it says by a trap.
pub(crate) fn leak(thing: Thing) -> u32 {
    fn keep<T>(mut take: impl FnMut(u32) -> T) -> u32 {
        for taken in 0.. {
            std::mem::forget(take(taken));
        }
        0
    }
    match thing {
        Thing::Timers => keep(|_| subscribe_duration(u64::MAX)),
        Thing::Headers => keep(|_| Fields::new()),
        Thing::Requests => keep(|_| OutgoingRequest::new(Fields::new())),
        Thing::Streams => keep(|_| wasip2::cli::stdout::get_stdout()),
        Thing::OneHeaderList => {
            let fields = Fields::new();
            (0..)
                .take_while(|taken| fields.append(&format!("x-{taken}"), &[b'v'; 512]).is_ok())
                .count() as u32
        }
    }
}

/// Waits for what does not come, or cannot.
pub(crate) fn wait(event: Event) -> u32 {
    match event {
        Event::Never => poll(&[&subscribe_duration(u64::MAX)]).len() as u32,
        Event::Nothing => poll(&[]).len() as u32,
        Event::Many => {
            let timer = subscribe_duration(u64::MAX);
            poll(&vec![&timer; 1_000_000]).len() as u32
        }
    }
}

/// Tries what only a grant would allow.
pub(crate) fn reach() -> Vec<String> {
    let mut reached = Vec::new();
    let network = instance_network();
    for name in [
        "localhost",
        "example.com",
        "127.0.0.1",
        "metadata.google.internal",
    ] {
        if let Ok(stream) = resolve_addresses(&network, name) {
            stream.subscribe().block();
            if let Ok(Some(address)) = stream.resolve_next_address() {
                reached.push(format!("{name} is {address:?}"));
            }
        }
    }
    let loopback = IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: 80,
        address: (127, 0, 0, 1),
    });
    if let Ok(socket) = create_tcp_socket(IpAddressFamily::Ipv4) {
        reached.push("a TCP socket".into());
        if socket.start_connect(&network, loopback).is_ok() {
            reached.push("a connection".into());
        }
        if socket.start_bind(&network, loopback).is_ok() {
            reached.push("a port".into());
        }
    }
    if let Ok(socket) = create_udp_socket(IpAddressFamily::Ipv4) {
        reached.push("a UDP socket".into());
        if socket.start_bind(&network, loopback).is_ok() {
            reached.push("a UDP port".into());
        }
    }
    reached.extend(
        std::env::current_dir()
            .ok()
            .map(|folder| format!("cwd {}", folder.display())),
    );
    let folders = wasip2::filesystem::preopens::get_directories();
    reached.extend(
        folders
            .into_iter()
            .map(|(_, name)| format!("folder {name}")),
    );
    reached
}
