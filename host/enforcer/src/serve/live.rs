//! The stream that an open page listens to: it goes on until the page is closed or the server ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use hyper::body::{Body, Frame};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::api::ApiError;
use crate::enforcer::Enforcer;
use crate::page::live::View;

/// Another process may write to the same store, and holds expire: so often it is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Changes closer together than this are told at once.
const GATHER: Duration = Duration::from_millis(100);
/// A page that does not read for so long is not there any more.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so many looks without news something is sent, so that a connection that is gone is noticed.
const QUIET: u32 = 15;

/// A body that ends with its sender.
#[derive(Debug)]
pub(super) struct Live(mpsc::Receiver<Bytes>);

impl Body for Live {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(context);
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Begins a stream. Whoever asks has shown that they are an approver.
pub(super) fn response(
    enforcer: Arc<Enforcer>,
    stopped: watch::Receiver<()>,
) -> Result<Response<Live>, ApiError> {
    let page = enforcer.page();
    let page = page.ok_or_else(|| ApiError::not_found("this enforcer has no page"))?;
    let permit = page.listener().ok_or_else(ApiError::too_many_pages)?;
    // One that is being sent, and one to follow.
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(tell(enforcer, sender, stopped, permit));
    let mut response = Response::new(Live(receiver));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn tell(
    enforcer: Arc<Enforcer>,
    sender: mpsc::Sender<Bytes>,
    mut stopped: watch::Receiver<()>,
    _permit: OwnedSemaphorePermit,
) {
    let Some(page) = enforcer.page() else {
        return;
    };
    let mut decisions = page.activity.changes();
    let mut changes = enforcer.store().changes();
    let mut view = View::default();
    let mut quiet = 0;
    loop {
        decisions.mark_unchanged();
        changes.mark_unchanged();
        let asked = Arc::clone(&enforcer);
        // The store may wait for another process.
        let news = tokio::task::spawn_blocking(move || {
            let news = view.news(&asked);
            (view, news)
        });
        let Ok((seen, news)) = news.await else {
            return;
        };
        view = seen;
        let text = match news {
            Ok(text) if text.is_empty() && quiet < QUIET => {
                quiet += 1;
                String::new()
            }
            Ok(text) if text.is_empty() => ": still here\n\n".to_owned(),
            Ok(text) => text,
            // The page begins anew, and sees what is wrong then.
            Err(_) => return,
        };
        if !text.is_empty() {
            quiet = 0;
            if timeout(PATIENCE, sender.send(text.into())).await != Ok(Ok(())) {
                return;
            }
        }
        tokio::select! {
            _ = stopped.changed() => return,
            () = sender.closed() => return,
            () = sleep(LOOK) => {}
            _ = decisions.changed() => sleep(GATHER).await,
            _ = changes.changed() => sleep(GATHER).await,
        }
    }
}
