// One flow run: how it stands, its timeline, its task runs, what happened to one of them, and its log.

import { History } from "./history.js";
import { ask, chip, element, isFinal, moment, took, trail, trouble } from "./page.js";
import { showSelection } from "./selection.js";
import { showLog } from "./log.js";
import { TaskTable } from "./tasks.js";
import { Timeline } from "./timeline.js";

export const LEGEND = [["COMPLETED", "Completed"], ["FAILED", "Failed"], ["CRASHED", "Crashed"], ["CANCELLED", "Cancelled"], ["RUNNING", "Running"], ["SCHEDULED", "waits for a retry"]];

export async function showRun(main, id, signal) {
  const history = new History(id);
  const head = element("section", { class: "head" });
  const tallies = element("div", { class: "tallies" });
  const details = element("section", { class: "details panel", "aria-live": "polite" });
  const log = showLog(history, signal);
  const timeline = new Timeline(history, {
    label: "Timeline of task runs. Arrow keys go from one to the next.",
    selected: (run) => {
      showSelection(details, history, run, (id) => timeline.select(history.runs.get(id)), signal);
      table.mark(run);
      log.only(run);
    },
    signal,
  });
  const table = new TaskTable(history, (run) => timeline.select(run));
  main.append(head, timeline.node, legend(), tallies, element("div", { class: "columns" }, table.node, details), log.node);
  showSelection(details, history, null, () => {}, signal);

  let summary = null;
  let opened = null; // this page's clock, and the moment of the run, when the summary came
  const now = () => (summary && !isFinal(summary.type) ? opened.elapsed + (performance.now() - opened.clock) / 1000 : history.end);

  async function header() {
    summary = await ask("run", { run: id }, signal);
    opened ??= { clock: performance.now(), elapsed: Math.max(history.end, Date.now() / 1000 - summary.created) };
    trail(["Runs", "#/"], [summary.name]);
    document.title = `${summary.name} · ${summary.state}`;
    drawHead(head, summary);
  }

  function draw() {
    timeline.update(now());
    table.update();
    tallies.replaceChildren(...[...history.tally()].map(([state, { type, count }]) =>
      element("button", { type: "button", title: `Show these`, onclick: () => table.filter(state) }, chip(type, state, count))));
  }

  let busy = false;
  let again = false;
  async function catchUp() {
    if (busy) return void (again = true);
    busy = true;
    try {
      do {
        again = false;
        if (!summary) await header(); // the page does not jump when the rest comes
        await history.catchUp(signal, () => timeline.update(now()));
        await header();
        await log.catchUp();
        draw();
      } while (again);
      trouble(null);
    } catch (error) {
      trouble(error);
    } finally {
      busy = false;
    }
  }

  await catchUp();
  if (signal.aborted || !summary) return;
  const events = new EventSource(`api/events?run=${id}`);
  events.onmessage = (event) => {
    const [changes, line] = event.data.split(" ").map(Number);
    if (changes > history.next || line > log.last) catchUp();
  };
  const clock = setInterval(() => {
    if (!isFinal(summary.type) && !document.hidden && history.runs.size < 20_000) timeline.update(now());
  }, 500);
  signal.addEventListener("abort", () => {
    events.close();
    clearInterval(clock);
  });
}

export function legend() {
  return element("div", { class: "legend", "aria-label": "Legend" }, ...LEGEND.map(([type, name]) => chip(type, name)),
    element("span", { class: "quiet" }, element("i", { class: "upstream" }), "takes from", element("i", { class: "downstream" }), "gives to"));
}

function drawHead(head, run) {
  const facts = [
    ["Flow", run.flow + (run.version ? ` (${run.version})` : "")],
    ["Began", moment(run.created)],
    [isFinal(run.type) ? "Took" : "So far", took(run.elapsed)],
    ["Run count", run.run_count > 1 ? String(run.run_count) : ""],
    ["Entry point", run.entry_point],
    ["Tags", run.tags.join(", ")],
    ["Id", run.id],
  ];
  const parameters = Object.entries(run.parameters ?? {});
  head.replaceChildren(
    element("h1", {}, run.name, " ", chip(run.type, run.state), isFinal(run.type) ? null : element("span", { class: "live" }, "live")),
    ...[run.message ? element("p", { class: "message" }, run.message) : null,
    element("dl", { class: "facts" }, ...facts.filter(([, words]) => words).flatMap(([name, words]) =>
      [element("div", {}, element("dt", {}, name), element("dd", {}, words))])),
    parameters.length ? element("p", { class: "parameters" }, ...parameters.map(([name, value]) =>
      element("code", {}, `${name} = ${JSON.stringify(value)}`))) : null].filter(Boolean),
  );
}
