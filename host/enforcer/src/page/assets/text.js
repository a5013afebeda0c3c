// From what agents and tools wrote to nodes that only show it: text is text, and what would not be seen
// is written out.

const LONG = 240;
const LONG_LINE = 600;
const MANY = 12;

// Characters that hide, turn or fake the text around them: controls, formats, unassigned and private
// ones, all blanks but the plain one, fillers and variation selectors.
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200f\u202f\u205f\u3000\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;

// A word of letters from alphabets that look alike.
const MIXED = /[\p{L}\p{M}]*(?:\p{sc=Latin}[\p{L}\p{M}]*[\p{sc=Cyrillic}\p{sc=Greek}]|[\p{sc=Cyrillic}\p{sc=Greek}][\p{L}\p{M}]*\p{sc=Latin})/u;

// An element with attributes, `on…` listeners and children; texts become text nodes.
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child != null));
  return node;
}

function escaped(character) {
  const units = [...Array(character.length).keys()].map((at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

// The nodes of a text. What hides is written as an escape.
export function plain(text) {
  return nodes(String(text ?? ""), false);
}

function nodes(text, quoted) {
  const out = [];
  let run = "";
  for (const character of text) {
    if (quoted && (character === '"' || character === "\\")) {
      run += `\\${character}`;
    } else if (HIDDEN.test(character)) {
      if (run) out.push(run);
      run = "";
      const short = quoted && { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
      out.push(el("span.escape", {}, short || escaped(character)));
    } else {
      run += character;
    }
  }
  if (run) out.push(run);
  return out;
}

function warning(text) {
  if (!MIXED.test(text)) return null;
  return el("span.warning", { title: "A word in this text mixes alphabets whose letters look alike" }, "mixed alphabets");
}

// A text in an element of its own.
export function inline(tag, text) {
  const whole = String(text ?? "");
  return el(tag, {}, ...folded(whole, LONG_LINE, (part) => el("span", {}, ...plain(part))), warning(whole));
}

// What `make` makes of a text; of a long one, of its beginning until more is asked for.
function folded(text, limit, make) {
  const characters = [...text];
  if (characters.length <= limit) return [make(text, true)];
  const start = make(characters.slice(0, limit / 2).join(""), false);
  const more = el("button.more", { type: "button" }, `… show all ${characters.length.toLocaleString()} characters`);
  more.addEventListener("click", () => {
    start.replaceWith(make(text, true));
    more.remove();
  });
  return [start, more];
}

function quoted(text) {
  const make = (part, whole) => el("span.string", {}, '"', ...nodes(part, true), whole ? '"' : "");
  return el("span", {}, ...folded(text, LONG, make), warning(text));
}

// A JSON value, as canonical JSON has it, over several lines where it is deep.
export function json(value) {
  if (typeof value === "string") return quoted(value);
  if (value === null || typeof value !== "object") {
    return el("span.atom", {}, JSON.stringify(value) ?? "null");
  }
  const isList = Array.isArray(value);
  const [left, right] = isList ? "[]" : "{}";
  const members = isList ? value.map((item) => [null, item]) : Object.entries(value);
  if (members.length === 0) return el("span.atom", {}, left + right);
  const row = ([name, item], at) => {
    const comma = at + 1 < members.length ? "," : "";
    const key = name === null ? [] : [el("span.key", {}, '"', ...nodes(name, true), '"'), ": "];
    return el("div.member", {}, ...key, json(item), comma);
  };
  const box = el("span.nest", {}, left, ...members.slice(0, MANY).map(row), right);
  if (members.length > MANY) {
    const more = el("button.more", { type: "button" }, `… show all ${members.length.toLocaleString()} members`);
    more.addEventListener("click", () => more.replaceWith(...members.slice(MANY).map((m, at) => row(m, at + MANY))));
    box.lastChild.before(more);
  }
  return box;
}

// The arguments as a table, a row for each; with `asked`, what the agent asked for beside what runs.
export function argumentTable(runs, asked) {
  const names = [...new Set([...Object.keys(asked ?? {}), ...Object.keys(runs)])].sort();
  if (names.length === 0) return el("p.faint", {}, "no arguments");
  const has = (object, name) => Object.hasOwn(object, name);
  const cell = (object, name, label) =>
    el("td", { "data-label": label }, has(object, name) ? json(object[name]) : el("span.faint", {}, "left out"));
  const same = (name) =>
    has(runs, name) === has(asked, name) && JSON.stringify(runs[name]) === JSON.stringify(asked[name]);
  const rows = names.map((name) => {
    const head = el("th", { scope: "row" }, ...plain(name));
    if (!asked) return el("tr", {}, head, cell(runs, name));
    return el(same(name) ? "tr" : "tr.changed", {}, head, cell(asked, name, "asked for"), cell(runs, name, "would run"));
  });
  const head = asked
    ? el("thead", {}, el("tr", {}, el("th"), el("th", { scope: "col" }, "asked for"), el("th", { scope: "col" }, "would run")))
    : null;
  return el(asked ? "table.arguments.compared" : "table.arguments", {}, head, el("tbody", {}, ...rows));
}

// A moment, as its reader's clock has it.
export function clock(text) {
  const moment = new Date(text);
  const today = moment.toDateString() === new Date().toDateString();
  const words = today ? moment.toLocaleTimeString() : moment.toLocaleString();
  return el("time", { datetime: text, title: moment.toLocaleString() }, words);
}

// So many milliseconds in words.
export function span(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (hours >= 1) return `${hours} h ${minutes % 60} min`;
  if (minutes >= 1) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${seconds} s`;
}
