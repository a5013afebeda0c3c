//! A held call, and the human whom the client can reach.
//!
//! The policy service's record of the hold decides. What a client answers is worth a look at that record
//! and no more, except where the operator lets its user approve: then the answer is written to the record
//! first.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    BooleanSchema, CallToolResponse, ElicitRequest, ElicitRequestParams, ElicitResult,
    ElicitationAction, ElicitationSchema, InputRequest, InputRequests, InputRequiredResult,
    InputResponses, PrimitiveSchemaDefinition, ProtocolVersion,
};
use rmcp::service::RequestContext;
use thoth_enforcer::{Approval, Resolution};
use tokio::time::Instant;
use url::Url;

use super::answer;
use super::catalog::Offered;
use super::held::Claim;
use super::progress::Progress;
use super::server::Shared;
use crate::calling;
use crate::session::{Call, Session};
use crate::tool::inert;

/// The name of the one question that a held call asks.
const QUESTION: &str = "approval";

/// The one member of a form: yes or no.
const YES: &str = "approve";

/// The longest text of arguments that a human is shown, in characters.
const SHOWN_MAX: usize = 500;

/// The longest that one of them becomes where it is escaped.
const ESCAPE_MAX: usize = 12;

/// What is known about a held call, and whom to ask.
pub(super) struct Asking<'a> {
    pub(super) shared: &'a Shared,
    pub(super) session: &'a Session,
    pub(super) context: &'a RequestContext<RoleServer>,
    pub(super) progress: &'a Progress,
    pub(super) offered: &'a Offered,
    pub(super) arguments: &'a str,
    /// What the client answers to the question it was asked before.
    pub(super) responses: Option<&'a InputResponses>,
}

/// How it went on with a held call.
pub(super) enum Held {
    /// The hold is over.
    Decided(Box<Call>),
    /// It is held still, and the client is to do something.
    Answer(Box<CallToolResponse>),
}

/// How the client's user is reached.
enum Way {
    /// By a page where the call is approved.
    Page(Url),
    /// By a form with a yes or no, which counts for what the enforcer's record shows.
    Form(Box<Approval>),
    /// Not at all.
    None,
}

impl Asking<'_> {
    /// Goes on with a held call, at most as long as this server keeps a client waiting.
    pub(super) async fn wait(&self, call: Call, claim: &Claim, is_first: bool) -> Held {
        let Some(held) = call.held().cloned() else {
            return Held::Decided(Box::new(call));
        };
        let way = self.way(&held);
        let asks_by_result = self
            .context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        let answered = match (self.responses, &way) {
            (Some(responses), way) => Some(self.answered(responses.get(QUESTION), way, &held)),
            // Until 2025-11-25 the client is asked while its own request waits.
            (None, Way::Page(_) | Way::Form(_)) if !asks_by_result => {
                match self.ask(&way, &held, &call).await {
                    Ok(call) => return Held::Decided(Box::new(call)),
                    Err(answered) => Some(answered),
                }
            }
            (None, _) => None,
        };
        match answered {
            Some(Answered::No) => return self.give_up(&held),
            Some(Answered::Yes) => {}
            // The first time the client learns at once that there is something to wait for.
            None if is_first => return self.come_back(&held, claim, way, asks_by_result),
            None => {}
        }
        let call = self.patiently(call, self.shared.options.wait).await;
        match call.held() {
            None => Held::Decided(Box::new(call)),
            Some(held) => self.come_back(held, claim, way, asks_by_result),
        }
    }

    /// Waits for the policy service's word, so long at most.
    async fn patiently(&self, call: Call, limit: Duration) -> Call {
        if let Some(held) = call.held() {
            self.tell(held);
        }
        self.session.wait(call, Some(limit)).await
    }

    fn tell(&self, held: &calling::Held) {
        let left = held.expires().saturating_duration_since(Instant::now());
        self.progress.waits(left, &held.hold().reason);
    }

    /// Asks the client's user while the hold is watched; the call where that is decided meanwhile.
    async fn ask(&self, way: &Way, held: &calling::Held, call: &Call) -> Result<Call, Answered> {
        self.tell(held);
        let left = held.expires().saturating_duration_since(Instant::now());
        let question = self.question(way, held).params;
        let peer = &self.context.peer;
        let asked = peer.create_elicitation_with_timeout(question, Some(left));
        let mut decided = std::pin::pin!(self.session.wait(call.clone(), None));
        let answer = tokio::select! {
            biased;
            call = &mut decided => return Ok(call),
            answer = asked => answer,
        };
        if held.is_taken() {
            // It was approved elsewhere, and runs: an answer that comes now is too late to stop it.
            return Ok(decided.await);
        }
        Err(match answer {
            Ok(answer) => self.counted(&answer, way, held),
            // Whoever cannot be asked may still be told.
            Err(_) => Answered::No,
        })
    }

    /// What a client's answer to the question is worth.
    fn answered(
        &self,
        response: Option<&serde_json::Value>,
        way: &Way,
        held: &calling::Held,
    ) -> Answered {
        let response = response.and_then(|value| serde_json::from_value(value.clone()).ok());
        match response {
            Some(answer) => self.counted(&answer, way, held),
            None => Answered::No,
        }
    }

    fn counted(&self, answer: &ElicitResult, way: &Way, held: &calling::Held) -> Answered {
        let accepted = answer.action == ElicitationAction::Accept;
        let Way::Form(shown) = way else {
            return if accepted {
                Answered::Yes
            } else {
                Answered::No
            };
        };
        // To close a form is to say nothing.
        if answer.action == ElicitationAction::Cancel {
            return Answered::No;
        }
        let content = answer.content.as_ref();
        let yes = content.and_then(|content| content.get(YES)?.as_bool());
        let resolution = if accepted && yes == Some(true) {
            Resolution::Approve
        } else {
            Resolution::Deny
        };
        if let Some(enforcer) = self.shared.runtime.enforcer() {
            let by = "the user of the MCP client";
            let (token, digest) = (&held.hold().token, Some(shown.digest.as_str()));
            let resolved = enforcer
                .store()
                .resolve_shown(token, resolution, by, None, digest);
            if let Err(error) = resolved {
                // The record stays as it is, and is what counts.
                tracing::warn!(%error, "the answer of a client's user was not recorded");
            }
        }
        Answered::Yes
    }

    fn way(&self, held: &calling::Held) -> Way {
        let capabilities = self.context.client_capabilities();
        let Some(elicitation) = capabilities.and_then(|known| known.elicitation) else {
            return Way::None;
        };
        let hold = held.hold();
        let url = hold.approval_url.as_deref();
        let url = url.and_then(|url| Url::parse(url).ok());
        if let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https"))
            && elicitation.url.is_some()
        {
            return Way::Page(url);
        }
        // Before there were two kinds, a client that could be asked could be asked by a form.
        let has_form = elicitation.form.is_some() || elicitation.url.is_none();
        if !has_form || !self.shared.options.client_approves {
            return Way::None;
        }
        let enforcer = self.shared.runtime.enforcer();
        let record = enforcer.and_then(|enforcer| enforcer.store().approval(&hold.token).ok()?);
        // Nobody approves what a form does not show whole.
        match record {
            Some(shown) if shown.arguments.chars().count() <= SHOWN_MAX => {
                Way::Form(Box::new(shown))
            }
            Some(_) | None => Way::None,
        }
    }

    /// What a human is shown: what the host knows, and nothing that the tool wrote.
    fn question(&self, way: &Way, held: &calling::Held) -> ElicitRequest {
        let hold = held.hold();
        let component = self.offered.tool.name();
        let component = component.rsplit('/').next().unwrap_or_default();
        // What would run: a policy may have changed what was asked for.
        let (arguments, digest) = match way {
            Way::Form(shown) => (shown.arguments.as_str(), shown.digest.as_str()),
            Way::Page(_) | Way::None => (self.arguments, hold.digest.as_str()),
        };
        let digest = digest.get(..8).unwrap_or_default();
        let message = format!(
            "Approve `{}` of {} with {} (digest {digest}…)? {}",
            self.offered.listed().name,
            inert(component, 80),
            inert(arguments, SHOWN_MAX * ESCAPE_MAX),
            inert(&hold.reason, 300),
        );
        ElicitRequest::new(match way {
            Way::Page(url) => ElicitRequestParams::UrlElicitationParams {
                meta: None,
                message,
                url: url.to_string(),
                elicitation_id: held.call_id().to_owned(),
            },
            Way::Form(_) | Way::None => ElicitRequestParams::FormElicitationParams {
                meta: None,
                message,
                requested_schema: yes_or_no(),
            },
        })
    }

    /// Gives the client the hold to come back to.
    fn come_back(&self, held: &calling::Held, claim: &Claim, way: Way, by_result: bool) -> Held {
        if by_result && !matches!(way, Way::None) {
            let question = InputRequest::Elicitation(self.question(&way, held));
            let questions = InputRequests::from([(QUESTION.to_owned(), question)]);
            let result = InputRequiredResult::new(Some(questions), claim.seal());
            return Held::Answer(Box::new(result.into()));
        }
        self.give_up(held)
    }

    /// Tells the model, since nobody else can be told.
    fn give_up(&self, held: &calling::Held) -> Held {
        let name = self.offered.listed().name.as_ref();
        let answer = answer::pending(held.call_id(), name, held.hold());
        Held::Answer(Box::new(answer.into()))
    }
}

/// A form with one member, a yes or a no.
fn yes_or_no() -> ElicitationSchema {
    let yes = PrimitiveSchemaDefinition::Boolean(BooleanSchema::new());
    let mut form = ElicitationSchema::new([(YES.to_owned(), yes)].into());
    form.required = Some(vec![YES.to_owned()]);
    form
}

/// What a client's answer comes to.
enum Answered {
    /// The record is worth a look.
    Yes,
    /// The user would not.
    No,
}
