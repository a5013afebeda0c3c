// The view of what waits: a card for each call, newest first, and what was decided lately.

import { resolve, whole } from "/page/client.js";
import { argumentTable, clock, el, inline, plain, span } from "/page/text.js";

const DECIDED_SHOWN = 20;
// A click that comes sooner after cards have moved was meant for another one.
const SETTLE = 700;

const queue = document.getElementById("queue");
const decidedList = document.getElementById("decided-list");
const name = document.getElementById("by");

const cards = new Map();
let movedAt = -SETTLE;
let say = () => {};

export function start(toast, by) {
  say = toast;
  name.value = localStorage.getItem("thoth-name") ?? by;
  name.onchange = () => localStorage.setItem("thoth-name", name.value.trim());
  refresh();
}

export function clear() {
  cards.clear();
  queue.replaceChildren();
  decidedList.replaceChildren();
}

// Takes an approval as it is now.
export function put(approval) {
  const card = cards.get(approval.id);
  if (approval.status === "pending") {
    if (!card) add(approval);
  } else {
    if (card) remove(approval.id);
    addDecided(approval);
  }
  refresh();
}

export function drop(ids) {
  ids.forEach(remove);
  refresh();
}

export function waitingCount() {
  return cards.size;
}

function add(approval) {
  const card = { approval, ends: performance.now() + approval.time_left_ms };
  build(card);
  cards.set(approval.id, card);
  movedAt = performance.now();
  queue.prepend(card.node);
}

function remove(id) {
  const card = cards.get(id);
  if (!card) return;
  const hadFocus = card.node.contains(document.activeElement);
  const next = card.node.nextElementSibling ?? card.node.previousElementSibling;
  card.node.remove();
  cards.delete(id);
  movedAt = performance.now();
  if (hadFocus) next?.focus();
}

function refresh() {
  const count = document.getElementById("count");
  count.textContent = cards.size;
  count.hidden = cards.size === 0;
  document.getElementById("nothing").hidden = cards.size > 0;
  document.getElementById("keys").hidden = cards.size === 0;
  document.getElementById("decided").hidden = !decidedList.firstChild;
  document.title = cards.size ? `(${cards.size}) Thoth` : "Thoth";
}

function fact(term, value) {
  const text = Array.isArray(value) ? value.join(" → ") : value;
  return text ? el("div", {}, el("dt", {}, term), inline("dd", text)) : null;
}

function facts(approval) {
  const context = approval.context ?? {};
  return el(
    "dl.facts",
    {},
    fact("purpose", context.purpose),
    fact("intent", context.session_intent),
    fact("data", context.data_classification),
    fact("task", context.task_id),
    fact("started by", context.initiated_by),
    fact("delegated", context.delegation_chain),
    fact("model", context.model_name),
    fact("environment", context.environment),
    fact("session", approval.session_id),
  );
}

function who(approval) {
  const user = approval.user_id ? [" for ", inline("b", approval.user_id)] : " for nobody in particular";
  const tenant = approval.tenant_id ? [" of ", inline("b", approval.tenant_id)] : "";
  return el("p.caller", {}, inline("b", approval.agent_id || "an agent without a name"), tenant, user);
}

function prefix(digest) {
  return el("code", { title: digest }, digest.slice(0, 8));
}

function proof(approval) {
  return el(
    "p.proof",
    {},
    approval.digest ? ["approves exactly ", prefix(approval.digest)] : null,
    approval.tool_sha256 ? [" · tool ", prefix(approval.tool_sha256)] : null,
    approval.matched_rule_ids?.length ? [" · asked by rule ", ...plain(approval.matched_rule_ids.join(", "))] : null,
    " · since ",
    clock(approval.requested_at),
  );
}

function argumentsOf(card) {
  const { approval } = card;
  if (approval.tool_args !== null) return argumentTable(approval.tool_args, approval.asked_tool_args);
  const size = approval.tool_args_bytes.toLocaleString();
  const show = el("button", { type: "button" }, `Show ${size} bytes of arguments`);
  const box = el("p", {}, show, el("span.faint", {}, " They have to be looked at before they can be approved."));
  show.addEventListener("click", async () => {
    try {
      const full = await whole(approval);
      // What is shown now must be what the card is about.
      if (full.digest !== approval.digest) throw new Error("the enforcer answered about another call");
      Object.assign(approval, { tool_args: full.tool_args, asked_tool_args: full.asked_tool_args });
      box.replaceWith(argumentTable(full.tool_args, full.asked_tool_args));
      card.approve.disabled = false;
    } catch (error) {
      problem(card, error.message);
    }
  });
  return box;
}

function build(card) {
  const { approval } = card;
  card.reason = el("input.reason", {
    type: "text",
    maxlength: 500,
    autocomplete: "off",
    placeholder: "Reason, which the agent is told",
    "aria-label": "Reason",
    onkeydown: (event) => event.key === "Enter" && event.preventDefault(),
  });
  const button = (kind, label, decision) =>
    el(`button.${kind}`, { type: "button", onclick: (event) => decide(card, decision, event) }, label);
  card.approve = button("primary", "Approve", "approve");
  card.deny = button("danger", "Deny", "deny");
  card.approve.disabled = approval.tool_args === null;
  card.left = el("span.left");
  card.rest = el("i");
  card.problem = el("p.problem", { role: "alert", hidden: true });
  const kind = approval.action_classification;
  card.node = el(
    "article.card",
    { id: approval.id, tabindex: -1, "aria-label": `A call of ${approval.tool_name}` },
    el("div.rest", { "aria-hidden": "true" }, card.rest),
    el("div.head", {}, inline("h2", approval.tool_name), kind ? inline("span.chip", kind) : null, card.left),
    who(approval),
    el("p.why", {}, ...plain(approval.reason)),
    argumentsOf(card),
    approval.asked_tool_args ? el("p.faint", {}, "A policy has changed what the agent asked for.") : null,
    facts(approval),
    proof(approval),
    el("div.actions", {}, card.reason, card.approve, card.deny),
    card.problem,
  );
  tickOne(card);
}

function problem(card, text) {
  card.problem.hidden = !text;
  card.problem.textContent = text ?? "";
}

async function decide(card, decision, event) {
  // A key press has no position, so it cannot have missed.
  const byPointer = event.detail > 0;
  if (byPointer && performance.now() - movedAt < SETTLE) {
    return say("The list has just moved, so nothing was decided: look again.");
  }
  problem(card, null);
  card.busy = true;
  // The button cannot keep the focus, and what comes next should be one key away.
  if (!byPointer) card.node.focus();
  for (const control of [card.approve, card.deny]) control.disabled = true;
  try {
    const resolved = await resolve(card.approval, decision, card.reason.value.trim(), name.value.trim() || "approver");
    say(`${resolved.status === "approved" ? "Approved" : "Denied"}: ${resolved.tool_name}`);
    put(resolved);
  } catch (error) {
    card.busy = false;
    card.deny.disabled = false;
    card.approve.disabled = card.approval.tool_args === null;
    problem(card, error.message);
  }
}

// Time passes.
export function tick() {
  cards.forEach(tickOne);
}

function tickOne(card) {
  const { approval, ends } = card;
  const left = Math.max(0, ends - performance.now());
  const all = new Date(approval.expires_at) - new Date(approval.requested_at);
  card.left.textContent = left > 0 ? `${span(left)} left` : "time is over";
  card.left.classList.toggle("soon", left < 60_000);
  card.rest.style.width = `${Math.min(100, (100 * left) / Math.max(all, 1))}%`;
  if (left === 0 && !card.busy) card.approve.disabled = card.deny.disabled = true;
}

function addDecided(approval) {
  const how = { approved: "Approved", denied: "Denied", expired: "Expired" }[approval.status];
  const by = approval.resolved_by ? [" by ", inline("b", approval.resolved_by)] : null;
  const because = approval.resolution_reason ? [" — ", ...plain(approval.resolution_reason)] : null;
  const row = el(
    "div.row",
    { "data-id": approval.id },
    el(`span.chip.${approval.status}`, {}, how),
    el("span.what", {}, inline("b", approval.tool_name), " for ", inline("span", approval.agent_id), by, because),
    clock(approval.resolved_at ?? approval.expires_at),
  );
  const known = [...decidedList.children].find((child) => child.dataset.id === approval.id);
  if (known) return known.replaceWith(row);
  decidedList.prepend(row);
  while (decidedList.children.length > DECIDED_SHOWN) decidedList.lastChild.remove();
}

// Brings one card before the approver, as the link to it does.
export function select(id) {
  const card = cards.get(id);
  card?.node.scrollIntoView({ block: "center" });
  card?.node.focus();
  return card !== undefined;
}

function selected() {
  return [...cards.values()].find((card) => card.node.contains(document.activeElement));
}

// The keys of this view; says whether it took one.
export function key(pressed) {
  const nodes = [...queue.children];
  const card = selected();
  const at = card ? nodes.indexOf(card.node) : -1;
  const move = (to) => {
    const node = nodes[Math.max(0, Math.min(nodes.length - 1, to))];
    node?.focus();
    node?.scrollIntoView({ block: "nearest" });
  };
  // The first key only brings the focus to the button: one press never decides.
  const focus = (control) => (card ? card[control].focus() : move(0));
  const keys = {
    j: () => move(at + 1),
    ArrowDown: () => move(at + 1),
    k: () => move(at - 1),
    ArrowUp: () => move(at - 1),
    a: () => focus("approve"),
    d: () => focus("deny"),
    r: () => focus("reason"),
  };
  keys[pressed]?.();
  return pressed in keys;
}
