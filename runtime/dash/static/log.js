// The log of a run: the lines of all of it, or of the run that is selected.

import { ask, element } from "./page.js";

const MOST = 2000; // lines that are drawn; the last ones
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export function showLog(history, signal) {
  const lines = [];
  const list = element("ol", { class: "lines", tabindex: "0", "aria-label": "Log" });
  const level = element("select", { "aria-label": "Level" }, ...Object.entries({ 0: "all levels", 20: "info and above", 30: "warnings and above", 40: "errors" })
    .map(([value, name]) => element("option", { value }, name)));
  const count = element("span", { class: "quiet" });
  const node = element("section", { class: "panel log" }, element("div", { class: "bar" }, element("h2", {}, "Log"), level, count), list);
  let only = null;

  function draw() {
    const least = Number(level.value);
    const found = lines.filter(([, run, , of]) => of >= least && (!only || run === only.id));
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    list.replaceChildren(...found.slice(-MOST).map(([, run, at, of, message]) =>
      element("li", { class: of >= 40 ? "error" : of >= 30 ? "warning" : null },
        element("time", {}, TIME.format(at * 1000)),
        element("span", { class: "who" }, history.runs.has(run) && run !== history.id ? history.name(history.runs.get(run)) : ""),
        element("span", { class: "words" }, message))));
    if (atEnd) list.scrollTop = list.scrollHeight;
    const of = only ? ` of ${history.name(only)}` : "";
    count.textContent = found.length === 0 ? `no line${of}` : `${found.length.toLocaleString()} line${found.length === 1 ? "" : "s"}${of}` +
      (found.length > MOST ? `, the last ${MOST.toLocaleString()} shown` : "");
  }

  level.addEventListener("change", draw);
  return {
    node,
    get last() {
      return lines.at(-1)?.[0] ?? 0;
    },
    only(run) {
      only = run && run !== history.root ? run : null;
      draw();
    },
    async catchUp() {
      for (let more = true; more; ) {
        const found = await ask("log", { run: history.id, after: this.last }, signal);
        lines.push(...found.lines);
        more = found.more;
      }
      draw();
    },
  };
}
