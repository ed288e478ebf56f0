// Which view is shown: the part of the address after # says it.

import { showComparison } from "./comparison.js";
import { showList } from "./list.js";
import { element, isTyping, trouble } from "./page.js";
import { showRun } from "./run.js";

const main = document.getElementById("main");
const help = document.getElementById("help");
let leave = () => {};

function show() {
  leave();
  trouble(null);
  main.replaceChildren();
  const [view, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const controller = new AbortController();
  leave = () => controller.abort();
  if (view === "run" && rest.length === 1) showRun(main, rest[0], controller.signal);
  else if (view === "compare" && rest.length === 2) showComparison(main, rest[0], rest[1], controller.signal);
  else if (view === "") showList(main, controller.signal);
  else main.append(element("p", { class: "empty" }, "There is no such page."));
  window.scrollTo(0, 0);
}

history.replaceState(null, "", location.pathname + location.hash); // the token is not for the address bar
window.addEventListener("hashchange", show);
document.getElementById("keys").addEventListener("click", () => help.showModal());
document.addEventListener("keydown", (event) => {
  if (isTyping(event)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "?") help.showModal();
  else if (event.key === "u") location.hash = "#/";
  else if (event.key === "/") {
    const search = main.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});
show();
