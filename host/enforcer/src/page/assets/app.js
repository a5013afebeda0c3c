// Begins: opens the session, listens, and shows the view that the address names.

import * as activity from "/page/activity.js";
import { draw } from "/page/chart.js";
import { close, hasSession, listen, open, Refused } from "/page/client.js";
import * as waiting from "/page/waiting.js";

const views = ["sign-in", "waiting", "activity"];
const link = document.getElementById("link");
const MAX_PAUSE = 10_000;

let view = "sign-in";
let wanted = null;
let listening = null;

function show(name) {
  view = name;
  for (const id of views) document.getElementById(id).hidden = id !== name;
  for (const id of ["waiting", "activity"]) {
    const tab = document.getElementById(`to-${id}`);
    if (id === name) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

// `/activity` is that view; `/TENANT/thoth/approvals/ID` and everything else is what waits.
function follow() {
  const segments = location.pathname.split("/");
  wanted = segments[2] === "thoth" && segments[3] === "approvals" ? segments[4] : null;
  show(location.pathname === "/activity" ? "activity" : "waiting");
}

function go(path) {
  if (location.pathname !== path) history.pushState(null, "", path);
  follow();
}

let toastTimer;
function toast(text) {
  const box = document.getElementById("toast");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.classList.remove("shown"), 4000);
}

function state(name, words) {
  link.className = `link ${name}`;
  link.textContent = words;
}

const told = {
  approval: waiting.put,
  gone: waiting.drop,
  entries: activity.add,
  counts: draw,
  ready: ({ by }) => {
    waiting.start(toast, by);
    state("live", "live");
    if (wanted && !waiting.select(wanted)) toast("That call does not wait any more.");
    wanted = null;
  },
};

// What cannot be shown must not keep the rest from being shown.
function tell(name, data) {
  try {
    told[name]?.(data);
  } catch (error) {
    console.error(error);
    toast("Something cannot be shown here: look with `thoth approvals list`.");
  }
}

// Listens as long as there is a session, and again when the server was away.
async function run() {
  listening?.abort();
  const mine = (listening = new AbortController());
  let pause = 500;
  while (!mine.signal.aborted) {
    state("", "connecting …");
    waiting.clear();
    activity.clear();
    try {
      await listen((name, data) => {
        tell(name, data);
        pause = 500;
      }, mine.signal);
    } catch (error) {
      if (error instanceof Refused && [401, 403].includes(error.status)) {
        close();
        state("", "");
        return show("sign-in");
      }
    }
    if (mine.signal.aborted) return;
    state("away", "the enforcer is away");
    await new Promise((again) => setTimeout(again, pause));
    pause = Math.min(pause * 2, MAX_PAUSE);
  }
}

async function signIn(credential) {
  const problem = document.getElementById("sign-in-problem");
  problem.hidden = true;
  try {
    await open(credential);
    follow();
    run();
  } catch (error) {
    show("sign-in");
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

document.querySelector("#sign-in form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.getElementById("token");
  const credential = field.value.trim();
  field.value = "";
  signIn(credential);
});

document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());

for (const anchor of document.querySelectorAll("header a")) {
  anchor.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || view === "sign-in") return;
    event.preventDefault();
    go(new URL(anchor.href).pathname);
  });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || view === "sign-in") return;
  if (typing) {
    const card = event.target.closest(".card");
    if (event.key === "Escape") card ? card.focus() : event.target.blur();
    return;
  }
  const global = { w: () => go("/"), v: () => go("/activity") };
  const taken = global[event.key] ?? (() => ({ waiting, activity })[view].key(event.key));
  if (taken() !== false) event.preventDefault();
});

addEventListener("popstate", follow);
setInterval(waiting.tick, 500);
activity.start();

// The key is taken out of the address at once, so that no history or shared link has it.
function takeKey() {
  const key = /^#key=([0-9a-f]+)$/.exec(location.hash)?.[1];
  if (!key) return false;
  history.replaceState(null, "", location.pathname);
  signIn(key);
  return true;
}

addEventListener("hashchange", takeKey);
if (takeKey()) {
  // The session opens in its own time.
} else if (hasSession()) {
  follow();
  run();
} else {
  show("sign-in");
}
