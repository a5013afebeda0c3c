// The view of what was decided and what happened: a live stream, filters, and one call's story.

import { argumentTable, clock, el, inline, json, plain } from "/page/text.js";

const KEPT = 1000;
// The most names that a filter offers: agents choose theirs.
const OFFERED = 200;
const SHOWN = 300;

const stream = document.getElementById("stream");
const story = document.getElementById("story");
const filters = { agent: "by-agent", tool: "by-tool", decision: "by-decision" };
const field = (name) => document.getElementById(filters[name]);

let entries = [];
let paused = false;
let told = null;

const labels = {
  TOOL_CALL_PRE: "asked",
  TOOL_CALL_POST: "ran",
  TOOL_CALL_BLOCK: "did not run",
  LLM_INVOCATION: "model",
};

export function start() {
  for (const name of Object.keys(filters)) field(name).onchange = render;
  document.getElementById("clear").onclick = () => {
    for (const name of Object.keys(filters)) field(name).value = "";
    render();
  };
  const pause = document.getElementById("pause");
  pause.onclick = () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", paused);
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) render();
  };
}

export function clear() {
  entries = [];
  closeStory();
  render();
}

export function add(more) {
  entries = [...entries, ...more].slice(-KEPT);
  for (const name of Object.keys(filters)) more.forEach((entry) => offer(name, entry[name]));
  if (!paused) render();
}

function offer(name, value) {
  const { options } = field(name);
  if (!value || options.length > OFFERED || [...options].some((option) => option.value === value)) return;
  const option = el("option", {}, ...plain(value).map((node) => node.textContent ?? node));
  option.value = value;
  field(name).append(option);
}

function matches(entry) {
  return Object.keys(filters).every((name) => !field(name).value || entry[name] === field(name).value);
}

function render() {
  const shown = entries.filter(matches).slice(-SHOWN).reverse();
  const filtered = Object.keys(filters).some((name) => field(name).value);
  document.getElementById("clear").hidden = !filtered;
  stream.replaceChildren(...shown.map(line));
  const empty = document.getElementById("no-entries");
  empty.hidden = shown.length > 0;
  document.getElementById("no-entries-why").textContent = filtered
    ? "No decision or event is like that. Show all again, or wait for one."
    : "As soon as an agent asks this enforcer about a call, it is here.";
  if (told) tell(told);
}

function badge(entry) {
  return entry.kind === "decision"
    ? el(`span.chip.${entry.decision}`, {}, entry.decision.toLowerCase().replace("_", " "))
    : el("span.chip.event", {}, ...plain(labels[entry.type] ?? entry.type));
}

// What makes entries one call's: its id, where its client gives one.
function callOf(entry) {
  return entry.call ? [entry.tenant, entry.session, entry.call].join("\n") : null;
}

function line(entry) {
  const open = callOf(entry) || entry.kind === "decision";
  const parts = [
    badge(entry),
    el("span.what", {}, inline("b", entry.tool ?? ""), " ", inline("span.faint", entry.agent ?? "")),
    inline("span.words", entry.reason ?? ""),
    clock(entry.at),
  ];
  if (!open) return el("div.row", {}, ...parts);
  return el("button.row", { type: "button", onclick: () => openStory(entry) }, ...parts);
}

function openStory(entry) {
  told = entry;
  tell(entry);
  story.focus();
}

function closeStory() {
  told = null;
  story.hidden = true;
  story.replaceChildren();
}

// One call from the first that is known of it to the last.
function tell(entry) {
  const call = callOf(entry);
  const of = call ? entries.filter((other) => callOf(other) === call) : [entry];
  const close = el("button.close", { type: "button", "aria-label": "Close", onclick: closeStory }, "×");
  const fact = (term, value) => (value ? el("div", {}, el("dt", {}, term), inline("dd", value)) : null);
  story.hidden = false;
  story.replaceChildren(
    el("div.head", {}, inline("h2", entry.tool ?? "A call"), close),
    el(
      "dl.facts",
      {},
      fact("agent", entry.agent),
      fact("of", entry.tenant),
      fact("for", entry.user),
      fact("purpose", of.find((other) => other.purpose)?.purpose),
      fact("session", entry.session),
      fact("call", entry.call),
    ),
    el("ol.steps", {}, ...of.map(step)),
  );
}

function step(entry) {
  const rules = entry.matched?.length ? el("p.faint", {}, "by rule ", ...plain(entry.matched.join(", "))) : null;
  const code = entry.code ? inline("code", entry.code) : null;
  return el(
    "li",
    {},
    el("div.head", {}, badge(entry), clock(entry.at)),
    el("p", {}, ...plain(entry.reason), " ", code),
    rules,
    entry.hold ? el("p", {}, "hold ", inline("code", entry.hold)) : null,
    entry.runs ? argumentTable(entry.runs, entry.asked) : null,
    entry.metadata ? el("details", {}, el("summary", {}, "everything its client says"), json(entry.metadata)) : null,
  );
}

// The keys of this view; says whether it took one.
export function key(pressed) {
  if (pressed !== "Escape" || story.hidden) return false;
  closeStory();
  return true;
}
