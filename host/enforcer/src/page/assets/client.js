// Talks to the enforcer: opens a session, listens to what happens, and says what was decided.

const KEY = "thoth-session";

// The key lives as long as the server's process. Storage is one of this port alone, as no cookie is.
let key = localStorage.getItem(KEY);

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, credential, options = {}) {
  const headers = { Accept: "application/json", Authorization: `Bearer ${credential}`, ...options.headers };
  const response = await fetch(path, { ...options, headers, credentials: "omit", redirect: "error" });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Refused(response.status, body.error?.message ?? `the enforcer answered ${response.status}`);
}

function post(path, credential, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, credential, { method: "POST", headers, body: JSON.stringify(body) });
}

export function hasSession() {
  return key !== null;
}

// Opens a session with the key of the link or the approver token.
export async function open(credential) {
  const response = await post("/page/session", credential, {});
  key = (await response.json()).key;
  localStorage.setItem(KEY, key);
}

export function close() {
  key = null;
  localStorage.removeItem(KEY);
}

// A path cannot have a part without characters, so `-` stands for the tenant without a name.
function path(approval) {
  const tenant = encodeURIComponent(approval.tenant_id).replaceAll("-", "%2D") || "-";
  return `/${tenant}/thoth/approvals/${encodeURIComponent(approval.id)}`;
}

// One approval, with its arguments however long they are.
export async function whole(approval) {
  return (await ask(path(approval), key)).json();
}

// `digest` says what was shown: the enforcer refuses if it is not what would be approved.
export async function resolve(approval, decision, reason, by) {
  const body = { decision, resolved_by: by, digest: approval.digest };
  if (reason) body.reason = reason;
  return (await post(`${path(approval)}/resolve`, key, body)).json();
}

// Listens until the stream ends, and calls `told(name, data)` for each event. `EventSource` could not
// send the key in a header.
export async function listen(told, signal) {
  const response = await ask("/page/live", key, { signal, headers: { Accept: "text/event-stream" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const [, name, data] = /^event: ([^\n]*)\ndata: ([^\n]*)$/.exec(block) ?? [];
      if (name) told(name, JSON.parse(data));
    }
  }
}
