// The task runs of a run as a table: searched, sorted, a page at a time.

import { chip, element, took } from "./page.js";

const PAGE = 100;
const COLUMNS = {
  "State": null,
  "Task run": null,
  "Began": (run) => run.spans[0]?.from ?? Infinity,
  "Took": (run) => -run.busy,
  "Attempts": (run) => -run.attempts,
  "Worker": null,
};

export class TaskTable {
  constructor(history, picked) {
    this.history = history;
    this.picked = picked;
    this.page = 0;
    this.sort = "Began";
    this.state = "";
    this.search = element("input", { type: "search", placeholder: "Search task runs", "aria-label": "Search task runs", spellcheck: "false", oninput: () => this.restart() });
    this.only = element("button", { type: "button", hidden: true, onclick: () => this.filter("") });
    this.body = element("tbody");
    this.place = element("span", { class: "quiet" });
    this.back = element("button", { type: "button", onclick: () => this.turn(-1) }, "←");
    this.forth = element("button", { type: "button", onclick: () => this.turn(1) }, "→");
    const heads = Object.entries(COLUMNS).map(([name, key]) =>
      element("th", { class: key ? "number" : null }, key ? element("button", { type: "button", onclick: () => this.order(name) }, name) : name));
    this.node = element("section", { class: "panel tasks" },
      element("div", { class: "bar" }, this.search, this.only, this.place, this.back, this.forth),
      element("div", { class: "scrolled" }, element("table", {}, element("thead", {}, element("tr", {}, ...heads)), this.body)));
  }

  filter(state) {
    this.state = state;
    this.only.hidden = !state;
    this.only.textContent = `${state} ×`;
    this.restart();
  }

  order(name) {
    this.sort = name;
    this.restart();
  }

  restart() {
    this.page = 0;
    this.update();
  }

  turn(by) {
    this.page += by;
    this.update();
  }

  mark(run) {
    this.marked = run?.id;
    for (const row of this.body.rows) row.classList.toggle("picked", row.dataset.run === this.marked);
  }

  update() {
    const sought = this.search.value.trim().toLowerCase();
    const found = this.history.taskRuns().filter((run) =>
      (!this.state || run.state === this.state) &&
      (!sought || this.history.name(run).toLowerCase().includes(sought) || run.title?.toLowerCase().includes(sought)));
    const key = COLUMNS[this.sort];
    if (key) found.sort((a, b) => key(a) - key(b));
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    this.page = Math.max(0, Math.min(this.page, pages - 1));
    const shown = found.slice(this.page * PAGE, (this.page + 1) * PAGE);
    this.body.replaceChildren(...shown.map((run) => this.row(run)));
    this.place.textContent = `${found.length.toLocaleString()} task run${found.length === 1 ? "" : "s"}${pages > 1 ? `, page ${this.page + 1} of ${pages}` : ""}`;
    this.back.disabled = this.page === 0;
    this.forth.disabled = this.page === pages - 1;
    this.back.hidden = this.forth.hidden = pages === 1;
  }

  row(run) {
    const begin = run.spans[0]?.from;
    return element("tr", { "data-run": run.id, class: run.id === this.marked ? "picked" : null, onclick: () => this.picked(run) },
      element("td", {}, chip(run.type, run.state)),
      element("td", {}, element("button", { type: "button", class: "link" }, this.history.name(run)),
        run.title ? element("span", { class: "quiet" }, ` ${run.title}`) : null),
      element("td", { class: "number" }, begin === undefined ? "" : took(begin)),
      element("td", { class: "number" }, run.spans.length ? took(run.busy) : ""),
      element("td", { class: "number" }, run.attempts > 1 ? String(run.attempts) : ""),
      element("td", { class: "quiet" }, run.worker ?? ""));
  }
}
