// What happened to one run, and where its inputs came from and its result went.

import { ask, chip, element, took, trouble } from "./page.js";

const MOST_LINKS = 40;

export async function showSelection(panel, history, run, pick, signal) {
  panel.dataset.run = run?.id ?? "";
  if (!run) {
    panel.replaceChildren(element("p", { class: "empty" }, "Select a task run in the timeline or in the table."));
    return;
  }
  let changes;
  try {
    changes = await ask("changes", { run: history.id, of: run.id }, signal);
  } catch (error) {
    return trouble(error);
  }
  if (panel.dataset.run !== run.id) return; // another one was selected since
  const linked = (id) => element("button", { type: "button", class: "link", onclick: () => pick(id) }, history.name(history.runs.get(id)));
  const inputs = run.inputs.filter((input) => history.runs.has(input.id));
  const users = history.users.get(run.id) ?? [];
  panel.replaceChildren(
    element("h2", {}, history.name(run), " ", chip(run.type, run.state)),
    run.title ? element("p", { class: "quiet" }, run.title) : "",
    element("ol", { class: "states" }, ...changes.map(([, type, name, message, , elapsed, attempt, runCount, worker]) =>
      element("li", {}, element("span", { class: "number quiet" }, `+${took(elapsed)}`), chip(type, name),
        element("span", { class: "quiet" }, [attempt > 1 ? `attempt ${attempt}` : "", runCount > 1 ? `run ${runCount}` : "", worker ?? ""].filter(Boolean).join(" · ")),
        message ? element("pre", {}, message) : null))),
    links("Takes from", inputs, (input) => element("li", {}, linked(input.id), element("span", { class: "quiet" }, input.parameter ? ` as ${input.parameter}` : " waits for it"))),
    links("Gives to", users, (id) => element("li", {}, linked(id))),
  );
}

function links(title, all, drawn) {
  if (!all.length) return "";
  const rest = all.length - MOST_LINKS;
  return element("div", { class: "links" }, element("h3", {}, title),
    element("ul", {}, ...all.slice(0, MOST_LINKS).map(drawn), rest > 0 ? element("li", { class: "quiet" }, `and ${rest} more`) : null));
}
