// A small chart of the decisions in each minute of the last hour.

import { el } from "/page/text.js";

const SVG = "http://www.w3.org/2000/svg";
const MINUTES = 60;
const [WIDTH, HEIGHT, GAP] = [600, 64, 2];

const names = { ALLOW: "allowed", MODIFY: "changed", STEP_UP: "held", DEFER: "deferred", BLOCK: "blocked" };

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

export function draw({ decisions, minutes, now }) {
  const totals = decisions.map((_, at) => minutes.reduce((sum, [, counts]) => sum + counts[at], 0));
  const most = Math.max(1, ...minutes.map(([, counts]) => counts.reduce((a, b) => a + b)));
  const words = decisions.map((name, at) => `${totals[at].toLocaleString()} ${names[name]}`);
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 1}`, role: "img", preserveAspectRatio: "none" });
  const title = svg("title", {});
  title.textContent = `In the last hour: ${words.join(", ")}. At most ${most} in a minute.`;
  chart.append(title, svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }));
  const step = WIDTH / MINUTES;
  for (const [minute, counts] of minutes) {
    const x = (MINUTES - 1 - (now - minute)) * step;
    if (x < 0) continue;
    let y = HEIGHT;
    counts.forEach((count, at) => {
      if (count === 0) return;
      const height = Math.max(1, (count / most) * (HEIGHT - 4));
      y -= height;
      const bar = { class: decisions[at], x: x + GAP / 2, y, width: step - GAP, height, rx: 1 };
      chart.append(svg("rect", bar));
    });
  }
  document.getElementById("chart").replaceChildren(chart);
  const entry = (name, at) => el("span", {}, el(`i.${name}`), `${totals[at].toLocaleString()} ${names[name]}`);
  const caption = el("span.faint", {}, `last hour, at most ${most.toLocaleString()} a minute`);
  document.getElementById("legend").replaceChildren(...decisions.map(entry), caption);
}
