// Two runs beside each other: their timelines on one scale, and what differs, task run by task run.

import { History } from "./history.js";
import { ask, chip, element, moment, took, trail, trouble } from "./page.js";
import { legend } from "./run.js";
import { Timeline } from "./timeline.js";

const MOST = 200;

export async function showComparison(main, first, second, signal) {
  trail(["Runs", "#/"], ["Comparison"]);
  document.title = "Comparison · flows";
  try {
    const sides = await Promise.all([first, second].map((id) => load(id, signal)));
    const span = Math.max(...sides.map((side) => side.history.end));
    for (const side of sides) {
      side.timeline = new Timeline(side.history, { label: `Timeline of ${side.summary.name}`, signal });
      side.timeline.span = span;
      main.append(heading(side.summary), side.timeline.node);
      side.timeline.update();
    }
    main.append(legend(), differences(sides[0], sides[1]));
  } catch (error) {
    trouble(error);
  }
}

async function load(id, signal) {
  const history = new History(id);
  const [summary] = await Promise.all([ask("run", { run: id }, signal), history.catchUp(signal)]);
  return { history, summary };
}

function heading(run) {
  return element("h2", { class: "side" }, element("a", { href: `#/run/${run.id}` }, run.name), " ", chip(run.type, run.state),
    element("span", { class: "quiet" }, ` ${run.flow} · ${moment(run.created)} · ${took(run.elapsed)}`));
}

/** Runs of both sides by name; where several share one, by their order. */
function byName({ history }) {
  const runs = new Map();
  for (const run of history.taskRuns()) {
    const name = history.name(run);
    let each = name;
    for (let n = 2; runs.has(each); n++) each = `${name} (${n})`;
    runs.set(each, run);
  }
  return runs;
}

function pairs(first, second) {
  const [a, b] = [byName(first), byName(second)];
  return [...new Set([...a.keys(), ...b.keys()])].map((name) => {
    const [left, right] = [a.get(name), b.get(name)];
    const differs = left?.state !== right?.state || left?.attempts !== right?.attempts;
    return { name, left, right, differs, more: (right?.busy ?? 0) - (left?.busy ?? 0) };
  }).sort((x, y) => y.differs - x.differs || Math.abs(y.more) - Math.abs(x.more));
}

function differences(first, second) {
  const found = pairs(first, second);
  const states = found.filter((pair) => pair.differs).length;
  const most = Math.max(...found.map((pair) => Math.abs(pair.more)), 1e-9);
  const rows = found.slice(0, MOST).map(({ name, left, right, differs, more }) =>
    element("tr", { class: differs ? "differs" : null },
      element("td", {}, name), side(left), side(right),
      element("td", { class: "number" }, left?.spans.length ? took(left.busy) : ""),
      element("td", { class: "number" }, right?.spans.length ? took(right.busy) : ""),
      element("td", { class: "number" }, left && right && more ? `${more > 0 ? "+" : "−"}${took(Math.abs(more))}` : ""),
      element("td", { class: "amount" }, left && right ? amount(more / most) : null)));
  const words = [
    states ? `${states} of ${found.length} task runs ended otherwise or took more attempts` : `All ${found.length} task runs ended alike`,
    found.length > MOST ? `the ${MOST} that differ most are shown` : "",
  ];
  return element("section", { class: "panel" },
    element("h2", {}, "What differs"), element("p", { class: "quiet" }, words.filter(Boolean).join("; "), "."),
    element("table", { class: "differences" },
      element("thead", {}, element("tr", {}, ...["Task run", first.summary.name, second.summary.name, "Took", "Took", "More", ""].map((word) => element("th", {}, word)))),
      element("tbody", {}, ...rows)));
}

function side(run) {
  if (!run) return element("td", { class: "quiet" }, "was not there");
  return element("td", {}, chip(run.type, run.state), run.attempts > 1 ? element("span", { class: "quiet" }, ` ${run.attempts} attempts`) : null);
}

function amount(part) {
  const bar = element("i", { class: part > 0 ? "slower" : "faster" });
  bar.style.width = `${Math.round(Math.abs(part) * 100)}%`;
  return bar;
}
