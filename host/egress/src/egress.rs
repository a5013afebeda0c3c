//! From a tool's request to an answer: check, fill in, send, mask.

use std::sync::Arc;

use bytes::Bytes;
use http::header::HeaderName;
use http::request::Parts;
use http::{Request, Response};
use percent_encoding::percent_decode_str;
use thoth_grants::{Grants, Host, Scheme, Target};
use thoth_transport::{Destination, OneShot, Reach};
use tokio::time::{Instant, timeout_at};

use crate::headers::Checked;
use crate::permitted::Approved;
use crate::shared::{Shared, Ticket};
use crate::template::mentions_secret;
use crate::{Attempts, Budgets, Kind, Permitted, Refused, Secrets, Usage, response};

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// What the calls of one tool may do, and with what.
pub struct Policy {
    /// What the tool is granted.
    pub grants: Grants,
    /// The secrets of the configuration; the tool names those that it is granted.
    pub secrets: Arc<Secrets>,
    /// The limits of each call.
    pub budgets: Budgets,
    /// The way out.
    pub transport: Arc<OneShot>,
}

/// The way out of one call. Clones are the same call.
#[derive(Clone)]
pub struct Egress {
    shared: Arc<Shared>,
}

/// A response as the tool may see it.
#[derive(Debug)]
pub struct Answer {
    /// The response, without the headers of its connection and without cookies.
    pub response: Response<Bytes>,
    /// Whether a secret was in it, and is masked now.
    pub masked: bool,
}

impl Egress {
    /// The way out of a call that begins now.
    pub fn new(policy: Arc<Policy>) -> Self {
        Self {
            shared: Arc::new(Shared::new(policy)),
        }
    }

    /// Looks at a request's head: its target, the rule for it, its headers. Sends and resolves
    /// nothing. Each call of this counts as a request, whatever it says.
    ///
    /// # Errors
    ///
    /// [`Refused`], which is recorded.
    pub fn check(&self, request: &Parts) -> Result<Permitted, Refused> {
        let method: String = request.method.as_str().chars().take(32).collect();
        let mut ticket = Ticket::new(&self.shared, method)?;
        match self.examine(&mut ticket, request) {
            Err(refused) => Err(ticket.refused(refused)),
            Ok(request) => Ok(Permitted { ticket, request }),
        }
    }

    /// Sends a request with its body, and gives back the whole response.
    ///
    /// It waits for its turn if as many are under way as may be. Secrets are put in; the host is
    /// resolved once, and one of the checked addresses is connected to; redirects are not followed.
    /// Compressed bodies stay as they are, except that an answer to a request with a secret must not
    /// be compressed, since it could not be searched. `deadline` covers everything.
    ///
    /// # Errors
    ///
    /// [`Refused`], which is recorded.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection and is recorded; the server may have got the
    /// request.
    pub async fn send(
        &self,
        permitted: Permitted,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Answer, Refused> {
        let described = permitted.describe(&body);
        let Permitted {
            mut ticket,
            request,
        } = permitted;
        ticket.set_described(described);
        ticket.start();
        match self.exchange(&mut ticket, request, body, deadline).await {
            Err(refused) => Err(ticket.refused(refused)),
            Ok((answer, received)) => {
                ticket.answered(answer.response.status(), received, answer.masked);
                Ok(answer)
            }
        }
    }

    /// Gives up a request because whoever decides about it said no; `why` goes into the record.
    pub fn withhold(&self, permitted: Permitted, body: &[u8], why: impl Into<String>) -> Refused {
        let described = permitted.describe(body);
        let mut ticket = permitted.ticket;
        ticket.set_described(described);
        ticket.refused(Refused::new(Kind::Withheld, why))
    }

    /// What the call has used so far.
    pub fn usage(&self) -> Usage {
        let received = self.shared.budgets().response_bytes - self.shared.down.left();
        Usage {
            requests: self.shared.requests(),
            request_bytes: u64::try_from(self.shared.request_bytes()).unwrap_or(u64::MAX),
            response_bytes: u64::try_from(received).unwrap_or(u64::MAX),
        }
    }

    /// The attempts that ended since this was last asked, for the log.
    pub fn take_attempts(&self) -> Attempts {
        self.shared.take_attempts()
    }

    /// Everything about a request's head, one check after the other.
    fn examine(&self, ticket: &mut Ticket, request: &Parts) -> Result<Approved, Refused> {
        let grants = &self.shared.policy.grants;
        let target = Target::parse(&request.method, &request.uri)
            .map_err(|bad| Refused::new(Kind::BadTarget, bad.to_string()))?;
        ticket.set_target(target.to_string());
        if mentions_secret(&percent_decode_str(&target.path_and_query()).collect::<Vec<u8>>()) {
            let problem = "a URL has no place for a secret; put the placeholder into a header";
            return Err(Refused::new(Kind::Secret, problem));
        }
        let rule = grants
            .rule_for(&target)
            .map_err(|denied| Refused::new(Kind::NotGranted, denied.to_string()))?;
        let headers = Checked::new(&request.headers, rule, &grants.secrets)?;
        if headers.has_secret() && target.scheme == Scheme::Http && !rule.allow_private {
            let problem =
                "a secret goes over plain http only to a loopback address that the rule allows";
            return Err(Refused::new(Kind::Secret, problem));
        }
        Ok(Approved {
            target,
            headers,
            allow_private: rule.allow_private,
            trace: None,
            is_governed: rule.govern,
        })
    }

    async fn exchange(
        &self,
        ticket: &mut Ticket,
        approved: Approved,
        body: Bytes,
        deadline: Instant,
    ) -> Result<(Answer, usize), Refused> {
        if !Arc::ptr_eq(ticket.shared(), &self.shared) {
            let problem = "the request was permitted in another call";
            return Err(Refused::new(Kind::NotGranted, problem));
        }
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if approved
            .headers
            .content_length
            .is_some_and(|said| said != length)
        {
            let problem = "`content-length` is not the length of the body";
            return Err(Refused::new(Kind::Header, problem));
        }
        // INVARIANT: from here on, `approved` alone is what is sent.
        ticket.charge(approved.size().saturating_add(body.len()))?;
        let late = |what: &'static str| move |_| Refused::new(Kind::Timeout, what);
        let _turn = timeout_at(deadline, self.shared.turns.acquire())
            .await
            .map_err(late("the call's other requests took all of the time"))?
            .map_err(|_| Refused::new(Kind::Timeout, "the call is over"))?;
        let policy = &self.shared.policy;
        let mut headers = timeout_at(deadline, approved.headers.fill(&policy.secrets))
            .await
            .map_err(late("a secret was not read within the time limit"))??;
        if let Some(parent) = approved.trace.clone() {
            headers.insert(TRACE_PARENT, parent);
        }
        let destination = approved.destination();
        let has_secret = approved.headers.has_secret();
        let mut request = Request::new(body);
        *request.uri_mut() = approved
            .target
            .path_and_query()
            .parse()
            .map_err(|_| Refused::new(Kind::BadTarget, "the path cannot be sent"))?;
        *request.method_mut() = approved.target.method;
        *request.headers_mut() = headers;
        let response = policy
            .transport
            .send(&destination, request, &self.shared.down, deadline)
            .await?;
        let received = response.body().len();
        let answer = response::finish(response, &policy.secrets, has_secret)?;
        Ok((answer, received))
    }
}

impl Approved {
    /// Bytes that the head takes, placeholders as they stand.
    fn size(&self) -> usize {
        self.target.path_and_query().len() + self.headers.size
    }

    fn destination(&self) -> Destination {
        let is_tls = self.target.scheme == Scheme::Https;
        Destination {
            is_tls,
            host: match &self.target.host {
                Host::Name(name) => thoth_transport::Host::Name(name.clone()),
                Host::Address(address) => thoth_transport::Host::Address(*address),
            },
            port: self.target.port,
            reach: match self.allow_private {
                // In the clear a secret must not leave this machine, wherever the name leads.
                _ if !is_tls && self.headers.has_secret() => Reach::Loopback,
                false => Reach::Public,
                true => Reach::Private,
            },
        }
    }
}
