//! The enforcer itself: from an HTTP request to an HTTP response.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::route::{Audience, NO_TENANT, Route};
use crate::api::{ApiError, auth, reply};
use crate::page;
use crate::page::activity::Activity;
use crate::page::sessions::Sessions;
use crate::policy::Policy;
use crate::secret::Secret;
use crate::store::{Store, StoreError};

/// The largest body that any endpoint takes.
pub(crate) const MAX_BODY: usize = 1024 * 1024;
/// The most pages that are open at once.
const MAX_LISTENERS: usize = 16;

/// How an enforcer is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What agents authenticate with, on either header. `None` lets every caller of the carrier in.
    pub api_key: Option<Secret>,
    /// What approvers authenticate with. `None` turns approvals over HTTP off.
    pub approver_token: Option<Secret>,
    /// The one tenant that is served. `None` serves whichever a request names.
    pub tenant: Option<String>,
    /// Where this enforcer is reached, such as `http://127.0.0.1:8181`; it makes `approval_url`s.
    /// `None` leaves them out.
    pub base_url: Option<String>,
    /// What an approver on the page is called who gives no other name.
    pub approver: Option<String>,
}

/// Options that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// A credential without characters protects nothing.
    #[error("the {0} is blank: set it, or leave it out")]
    Blank(&'static str),
    /// An agent could approve its own calls.
    #[error("the approver token is the API key: use another one")]
    SameCredential,
    /// The base URL is not one.
    #[error("the base URL `{0}` is not an http or https URL")]
    BaseUrl(String),
    /// The system gave no random bytes for the page's key.
    #[error("{0}")]
    Random(String),
}

/// A policy decision point: answers the Thoth wire protocol from Cedar policies.
///
/// A client's `enforcement_mode` is a fact that policies may ask about; it never changes what a
/// decision is.
#[derive(Debug)]
pub struct Enforcer {
    policy: Policy,
    store: Store,
    options: Options,
    page: Option<Page>,
}

/// What there is of a page on which a human decides.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) sessions: Sessions,
    pub(crate) activity: Activity,
    /// What an approver is called who gives no other name.
    pub(crate) approver: String,
    /// Opens it.
    link: String,
    listeners: Arc<Semaphore>,
}

impl Enforcer {
    /// Puts an enforcer together.
    ///
    /// # Errors
    ///
    /// If a credential is blank, both are the same, or the base URL is not one.
    pub fn new(policy: Policy, store: Store, mut options: Options) -> Result<Self, OptionsError> {
        let credentials = [
            ("API key", &options.api_key),
            ("approver token", &options.approver_token),
        ];
        for (name, credential) in credentials {
            if credential.as_ref().is_some_and(Secret::is_blank) {
                return Err(OptionsError::Blank(name));
            }
        }
        if let (Some(key), Some(token)) = (&options.api_key, &options.approver_token)
            && key.same_as(token)
        {
            return Err(OptionsError::SameCredential);
        }
        if let Some(url) = &mut options.base_url {
            let parsed = url.parse::<Uri>().ok();
            let scheme = parsed.as_ref().and_then(Uri::scheme_str);
            if !matches!(scheme, Some("http" | "https")) {
                return Err(OptionsError::BaseUrl(url.clone()));
            }
            url.truncate(url.trim_end_matches('/').len());
        }
        let page = match &options.approver_token {
            Some(_) => Some(
                Page::new(options.approver.as_deref())
                    .map_err(|error| OptionsError::Random(error.to_string()))?,
            ),
            None => None,
        };
        Ok(Self {
            policy,
            store,
            options,
            page,
        })
    }

    /// Where an approver opens the page, with a key that lasts as long as this enforcer does. It must
    /// not get into an agent's hands. `None` without an approver token or a base URL.
    pub fn page_link(&self) -> Option<String> {
        let (page, base) = (self.page.as_ref()?, self.options.base_url.as_deref()?);
        Some(format!("{base}/#key={}", page.link))
    }

    /// Answers one request. Total and synchronous: takes microseconds, or up to two seconds while
    /// another process writes to the same store.
    ///
    /// The carrier checks where a request comes from; here only its credentials count.
    pub fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let answer = catch_unwind(AssertUnwindSafe(|| self.answer_to(&request)));
        let answer = answer.unwrap_or_else(|_| {
            tracing::error!("a request made the enforcer panic");
            Err(ApiError::internal())
        });
        answer.unwrap_or_else(ApiError::into_response)
    }

    /// The store it writes to.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The policies it decides by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    fn answer_to(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, ApiError> {
        let (headers, body) = (request.headers(), request.body());
        let route = Route::find(request.method(), request.uri().path())?;
        if route.is_a_page(headers) && self.page.is_some() {
            return Ok(page::PAGE.response());
        }
        self.admit(&route, headers)?;
        if request.method() == Method::POST {
            require_json(headers)?;
        }
        if body.len() > MAX_BODY {
            return Err(ApiError::too_large(MAX_BODY));
        }
        if route.tenant().is_some_and(|name| !self.serves_tenant(name)) {
            return Err(ApiError::not_found("this enforcer serves another tenant"));
        }
        match route {
            Route::Enforce => self.enforce(headers, body),
            Route::Hold(token) => self.hold(headers, &token),
            Route::Events => self.events(body),
            Route::Explain => self.explain(body),
            Route::Approvals { tenant } => {
                self.approvals(&tenant, request.uri().query().unwrap_or_default())
            }
            Route::Approval { tenant, id } => self.approval(&tenant, &id),
            Route::Resolve { tenant, id } => self.resolve(&tenant, &id, body),
            Route::ToolInventory { .. } => self.tool_inventory(body),
            Route::Page => Ok(page::PAGE.response()),
            Route::Asset(asset) => Ok(asset.response()),
            Route::Session => self.open_session(),
            // The carrier serves it, as it never ends.
            Route::Live => Err(ApiError::not_found("only a server has a live stream")),
        }
    }

    /// Checks that whoever asks may ask this.
    pub(crate) fn admit(&self, route: &Route, headers: &HeaderMap) -> Result<(), ApiError> {
        let page = self.page.as_ref();
        if route.is_a_page(headers) && page.is_some() {
            return Ok(());
        }
        match route.is_for() {
            Audience::Everybody if page.is_none() => {
                Err(ApiError::not_found("there is no such endpoint"))
            }
            Audience::Everybody => Ok(()),
            Audience::Agents => auth::agent(headers, self.options.api_key.as_ref()),
            Audience::Approvers => self.require_approver(headers),
            Audience::Openers => {
                let opens = |page: &Page| auth::offers(headers, |key| page.sessions.is_link(key));
                match page.is_some_and(opens) {
                    true => Ok(()),
                    false => self.require_approver(headers),
                }
            }
        }
    }

    /// Checks the credential of an approver: the token, or a key of an open page.
    pub(crate) fn require_approver(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        if let Some(page) = &self.page
            && auth::offers(headers, |offered| page.sessions.admits(offered))
        {
            return Ok(());
        }
        let options = &self.options;
        let (token, key) = (options.approver_token.as_ref(), options.api_key.as_ref());
        auth::approver(headers, token, key)
    }

    pub(crate) fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    fn open_session(&self) -> Result<Response<Bytes>, ApiError> {
        let page = self.page.as_ref();
        let page = page.ok_or_else(|| ApiError::not_found("this enforcer has no page"))?;
        let answer = json!({"key": page.sessions.open()?, "by": page.approver});
        Ok(reply(StatusCode::OK, &answer))
    }

    pub(crate) fn serves_tenant(&self, tenant: &str) -> bool {
        let served = self.options.tenant.as_deref();
        served.is_none_or(|served| served == tenant)
    }

    /// Where an approver finds a hold.
    pub(crate) fn approval_url(&self, tenant: &str, token: &str) -> Option<String> {
        let base = self.options.base_url.as_deref()?;
        let tenant = match tenant {
            "" => NO_TENANT.to_owned(),
            tenant => utf8_percent_encode(tenant, NON_ALPHANUMERIC).to_string(),
        };
        Some(format!("{base}/{tenant}/thoth/approvals/{token}"))
    }
}

impl Page {
    fn new(approver: Option<&str>) -> Result<Self, StoreError> {
        let (sessions, link) = Sessions::new()?;
        Ok(Self {
            sessions,
            activity: Activity::default(),
            approver: approver.unwrap_or("approver").to_owned(),
            link,
            listeners: Arc::new(Semaphore::new(MAX_LISTENERS)),
        })
    }

    /// Leave to listen to what happens; `None` where too many do.
    pub(crate) fn listener(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.listeners).try_acquire_owned().ok()
    }
}

/// A web page can send text or forms to loopback without asking, but not JSON. JSON is UTF-8 (RFC 8259,
/// section 8.1), so another charset means that somebody would read other characters.
fn require_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let media_type = types
        .next()
        .filter(|_| types.next().is_none())
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = media_type.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            let charset = charset.trim().trim_matches('"');
            charset.eq_ignore_ascii_case("utf-8")
        }
        Some(_) | None => true,
    });
    if !is_json || !is_utf8 {
        return Err(ApiError::media_type(
            "send the body as `Content-Type: application/json`, in UTF-8",
        ));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(ApiError::media_type(
            "send the body without a content encoding",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
