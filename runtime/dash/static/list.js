// The list of flow runs: searched, filtered, a page at a time, and kept up to date.

import { ask, chip, element, isFinal, isTyping, moment, took, trail, trouble } from "./page.js";

const STATES = ["completed", "failed", "crashed", "cancelled", "running", "pending", "scheduled"];
const REFRESH = 2000;
const asked = { search: "", state: "", pages: [] }; // kept while one run is looked at

export function showList(main, signal) {
  const chosen = [];
  let runs = [];
  trail(["Runs"]);
  document.title = "flows";

  const search = element("input", {
    type: "search", placeholder: "Search name, flow, tag or id", "aria-label": "Search", spellcheck: "false",
  });
  search.value = asked.search;
  const state = element("select", { "aria-label": "State" }, element("option", { value: "" }, "all states"),
    ...STATES.map((name) => element("option", { value: name }, name)));
  state.value = asked.state;
  const compare = element("button", { type: "button", disabled: true }, "Compare two");
  const body = element("tbody");
  const newer = element("button", { type: "button" }, "← Newer");
  const older = element("button", { type: "button" }, "Older →");
  const place = element("span", { class: "quiet" });
  const table = element("table", { class: "runs" },
    element("thead", {}, element("tr", {}, ...["", "State", "Run", "Flow", "Began", "Took"].map((word) => element("th", {}, word)))),
    body);
  const empty = element("p", { class: "empty", hidden: true });
  main.append(
    element("div", { class: "bar" }, search, state, compare),
    table, empty,
    element("div", { class: "bar pager" }, newer, place, older),
  );

  const before = () => asked.pages.at(-1) ?? "";

  async function load() {
    try {
      const found = await ask("runs", { search: asked.search, state: asked.state, before: before() }, signal);
      trouble(null);
      runs = found.runs;
      draw(found.more);
    } catch (error) {
      trouble(error);
    }
  }

  function draw(more) {
    const focused = document.activeElement?.closest?.("tr")?.dataset.run;
    body.replaceChildren(...runs.map(row));
    if (focused) body.querySelector(`tr[data-run="${focused}"] a`)?.focus();
    table.hidden = runs.length === 0;
    empty.hidden = runs.length > 0;
    empty.textContent = asked.search || asked.state ? "No run is like that." : "There is no run yet. Start one: flows run FILE.py:FLOW";
    newer.disabled = asked.pages.length === 0;
    older.disabled = !more;
    place.textContent = `page ${asked.pages.length + 1}`;
  }

  function row(run) {
    const box = element("input", { type: "checkbox", "aria-label": `Compare ${run.name}`, onchange: () => choose(run.id) });
    box.checked = chosen.includes(run.id);
    const last = isFinal(run.type) ? took(run.elapsed) : "";
    return element("tr", { "data-run": run.id },
      element("td", {}, box),
      element("td", {}, chip(run.type, run.state)),
      element("td", {}, element("a", { href: `#/run/${run.id}` }, run.name),
        run.run_count > 1 ? element("span", { class: "quiet" }, ` run ${run.run_count}`) : null,
        ...run.tags.map((tag) => element("span", { class: "tag" }, tag))),
      element("td", {}, run.flow),
      element("td", { class: "quiet" }, moment(run.created)),
      element("td", { class: "number" }, last));
  }

  function choose(id) {
    if (chosen.includes(id)) chosen.splice(chosen.indexOf(id), 1);
    else chosen.push(id);
    if (chosen.length > 2) chosen.shift();
    for (const each of body.rows) each.querySelector("input").checked = chosen.includes(each.dataset.run);
    compare.disabled = chosen.length !== 2;
  }

  function compareChosen() {
    // the older one first, as in a diff
    const [a, b] = [...chosen].sort((x, y) => created(x) - created(y));
    location.hash = `#/compare/${a}/${b}`;
  }
  const created = (id) => runs.find((run) => run.id === id)?.created ?? 0;

  function step(by) {
    const links = [...body.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at < 0 ? 0 : at + by))]?.focus();
  }

  function ask_anew() {
    asked.search = search.value.trim();
    asked.state = state.value;
    asked.pages = [];
    load();
  }

  search.addEventListener("input", ask_anew);
  state.addEventListener("change", ask_anew);
  compare.addEventListener("click", compareChosen);
  newer.addEventListener("click", () => (asked.pages.pop(), load()));
  older.addEventListener("click", () => (asked.pages.push(runs.at(-1).id), load()));
  document.addEventListener("keydown", (event) => {
    if (isTyping(event) && event.target.type !== "checkbox") return;
    if (event.key === "j" || event.key === "ArrowDown") step(1);
    else if (event.key === "k" || event.key === "ArrowUp") step(-1);
    else if (event.key === "c") {
      const row = document.activeElement?.closest?.("tr");
      if (row) choose(row.dataset.run);
      if (chosen.length === 2) compareChosen();
    } else return;
    event.preventDefault();
  }, { signal });
  const timer = setInterval(() => document.hidden || load(), REFRESH);
  signal.addEventListener("abort", () => clearInterval(timer));
  load();
}
