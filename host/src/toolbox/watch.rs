//! Sees that files of a toolbox come, go, change or are locked.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Toolbox, Tools};
use crate::runtime::Runtime;

/// How often a toolbox is looked at where nobody says. To look is one `stat` for each file.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Toolbox {
    /// Looks at the files again and again and sends the tools whenever another list of them, or of
    /// what is refused, comes of it. It polls: that works on every file system, over links and for
    /// files that are moved into place.
    ///
    /// Where the lock cannot be used any more, nothing is taken on and what was loaded stays; `failed`
    /// is told once.
    ///
    /// It ends when the last receiver is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn watch(
        self,
        runtime: Runtime,
        tools: Tools,
        every: Duration,
        failed: impl Fn(&crate::Error) + Send + 'static,
    ) -> watch::Receiver<Arc<Tools>> {
        let (sender, receiver) = watch::channel(Arc::new(tools));
        tokio::spawn(async move {
            let mut said = None;
            loop {
                tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(every) => {}
                }
                let before = Arc::clone(&sender.borrow());
                match self.reload(&runtime, &before).await {
                    Ok(tools) => {
                        said = None;
                        let is_new = !tools.is_as(&before);
                        sender.send_if_modified(|current| {
                            // Stamps are kept as well where nothing else is new.
                            *current = Arc::new(tools);
                            is_new
                        });
                    }
                    Err(error) => {
                        let line = error.to_string();
                        if said.as_ref() != Some(&line) {
                            failed(&error);
                            said = Some(line);
                        }
                    }
                }
            }
        });
        receiver
    }
}
