//! The way to a collector: the same bounded HTTP as to the enforcer.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use thoth_transport::{Client, Options};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::settings::Target;

/// The most bytes of one export; a batch has at most some hundred spans of a few kilobytes.
const REQUEST_MAX: usize = 16 << 20;

/// The most bytes of a collector's answer.
const RESPONSE_MAX: usize = 64 << 10;

/// A collector.
pub(super) struct Collector {
    client: Client,
    runtime: Handle,
    timeout: Duration,
}

impl Collector {
    /// Opens no connection.
    pub(super) fn new(to: Target, runtime: &Handle) -> Result<Self, String> {
        let options = Options {
            ca_file: to.ca_file,
            max_request: REQUEST_MAX,
            max_response: RESPONSE_MAX,
            max_idle: 1,
            ..Options::default()
        };
        Ok(Self {
            client: Client::new(to.origin, options).map_err(|error| error.to_string())?,
            runtime: runtime.clone(),
            timeout: to.timeout,
        })
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Collector({})", self.client.origin())
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, deadline) = (self.client.clone(), Instant::now() + self.timeout);
        // The library exports on threads of its own, and connections belong to the runtime.
        let sent = self
            .runtime
            .spawn(async move { client.send(request, deadline).await });
        let sent = sent.await?;
        match &sent {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => {
                let status = response.status().as_u16();
                tracing::warn!(status, "the collector refused what was sent");
            }
            Err(fault) => tracing::warn!(%fault, "the collector was not reached"),
        }
        Ok(sent?)
    }
}
