//! The endpoints, one file each, and the answers they share.

pub(crate) mod approvals;
pub(crate) mod auth;
pub(crate) mod enforce;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod hold;
pub(crate) mod route;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::binding::NoClaim;
use crate::call::CallError;
use crate::json::Unreadable;
use crate::store::{ResolveError, StoreError};

/// A request that gets the documented error body instead of an answer.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// What a 405 allows.
    allow: Option<&'static str>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            allow: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
    }

    pub(crate) fn unauthorized() -> Self {
        let message = "missing or wrong credential: send `Authorization: Bearer` or `X-Api-Key`";
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                format!("use {allow}"),
            )
        }
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "CONFLICT", message)
    }

    pub(crate) fn timeout() -> Self {
        let message = "the body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::too_much(format!("the body is larger than {limit} bytes"))
    }

    pub(crate) fn too_much(message: String) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
    }

    pub(crate) fn media_type(message: &str) -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        Self::new(status, "UNSUPPORTED_MEDIA_TYPE", message)
    }

    pub(crate) fn too_many_pages() -> Self {
        let message = "too many pages are open: close one";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_PAGES", message)
    }

    pub(crate) fn busy() -> Self {
        let message = "too many requests are being decided: try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", message)
    }

    pub(crate) fn internal() -> Self {
        let message = "the enforcer failed on this request";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message)
    }

    /// The answer: `{"error":{"code","message","requestId"}}`.
    pub(crate) fn into_response(self) -> Response<Bytes> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let error = json!({"code": self.code, "message": self.message, "requestId": request_id});
        let mut response = reply(self.status, &json!({ "error": error }));
        if let Some(allow) = self.allow {
            let allow = HeaderValue::from_static(allow);
            response.headers_mut().insert(ALLOW, allow);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<NoClaim> for ApiError {
    fn from(error: NoClaim) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // The cause names files of this machine; it is for the log, not for an agent.
        tracing::error!(%error, "the enforcer's store failed");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "STORE_UNAVAILABLE",
            "the enforcer's store failed: try again",
        )
    }
}

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        let message = error.to_string();
        match error {
            ResolveError::Unknown(_) => Self::not_found(message),
            ResolveError::AlreadyResolved { .. }
            | ResolveError::Expired(_)
            | ResolveError::NotTheOneShown(_) => Self::conflict(message),
            ResolveError::Store(error) => error.into(),
        }
    }
}

/// An answer in JSON. None of them may be kept by a cache.
pub(crate) fn reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Reads a body.
pub(crate) fn body(bytes: &[u8]) -> Result<Value, ApiError> {
    Ok(crate::json::parse(bytes)?)
}

impl From<Unreadable> for ApiError {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Json(_) => Self::invalid(unreadable.to_string()),
            Unreadable::TooMany => Self::too_much(unreadable.to_string()),
        }
    }
}
