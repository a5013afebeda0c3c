//! Who may ask what.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::ApiError;
use crate::secret::Secret;

/// Checks an agent's credential; without a configured key everybody on this carrier is an agent.
pub(crate) fn agent(headers: &HeaderMap, key: Option<&Secret>) -> Result<(), ApiError> {
    match key {
        Some(key) if !offers(headers, |offered| key.matches(offered)) => {
            Err(ApiError::unauthorized())
        }
        Some(_) | None => Ok(()),
    }
}

/// Checks an approver's credential. Without a configured one nobody approves over HTTP, and the
/// agents' key is never enough: an agent must not approve its own calls.
pub(crate) fn approver(
    headers: &HeaderMap,
    approver: Option<&Secret>,
    key: Option<&Secret>,
) -> Result<(), ApiError> {
    match approver {
        None => Err(ApiError::forbidden(
            "approvals over HTTP are off: no approver token is configured",
        )),
        Some(approver) if offers(headers, |offered| approver.matches(offered)) => Ok(()),
        Some(_) if key.is_some_and(|key| offers(headers, |offered| key.matches(offered))) => Err(
            ApiError::forbidden("an agent's key cannot approve: use the approver token"),
        ),
        Some(_) => Err(ApiError::unauthorized()),
    }
}

/// Whether either header holds a credential that is known. Every SDK uses another one of the two.
pub(crate) fn offers(headers: &HeaderMap, is_known: impl Fn(&[u8]) -> bool) -> bool {
    let bearer = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, credential) = value.as_bytes().split_at_checked(7)?;
        scheme
            .eq_ignore_ascii_case(b"Bearer ")
            .then(|| credential.trim_ascii())
    });
    let key = headers.get_all("x-api-key").iter();
    let mut offered = bearer.chain(key.map(|value| value.as_bytes().trim_ascii()));
    offered.any(is_known)
}
