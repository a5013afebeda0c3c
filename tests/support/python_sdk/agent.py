"""An agent on the real Python SDK. Calls one tool of each kind and prints what came of it as JSON."""

import json
import sys

import thoth

ran = []


def tool(name):
    def run(arguments):
        ran.append([name, arguments])
        return f"{name} ran"

    return run


names = ["search_docs", "read_doc", "export_text", "close_books", "transfer", "refund"]
governed = thoth.instrument_anthropic(
    {name: tool(name) for name in names},
    agent_id="python-agent",
    approved_scope=names,
    tenant_id="acme",
    user_id="sam",
    enforcement="block",
    api_url=sys.argv[1],
    api_key=sys.argv[2],
    session_id="python-session",
    purpose="prove that the SDK works",
)


def call(name, arguments):
    try:
        outcome = {"result": governed[name](arguments)}
    except thoth.ThothPolicyViolation as refused:
        outcome = {"refused": refused.reason, "code": refused.decision_reason_code}
    print(json.dumps({"tool": name, **outcome}), flush=True)


call("search_docs", {"query": "leave"})
call("read_doc", {"path": "hr/salaries.md"})
call("export_text", {"title": "Q3", "include_internal": True})
call("close_books", {"month": "2026-03"})
call("transfer", {"to_account": "suppliers", "amount_cents": 1250000})
call("refund", {"to_account": "customer", "amount_cents": 1250000})
print(json.dumps({"ran": ran}), flush=True)
