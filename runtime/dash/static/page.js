// What all views are made of: elements, words for times, and questions to the server.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** The answer to a question; throws an Error with the server's words where there is none. */
export async function ask(topic, query = {}, signal) {
  const response = await fetch(`api/${topic}?${new URLSearchParams(query)}`, { signal });
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

export function took(seconds) {
  if (seconds == null) return "";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export function moment(seconds) {
  const date = new Date(seconds * 1000);
  const today = DAY.format(date) === DAY.format(new Date());
  return (today ? "today" : DAY.format(date)) + " " + TIME.format(date);
}

/** How a state looks: `kind` names colour and shape, `sign` stands before its name. */
export function look(type, name) {
  if (type === "COMPLETED") return { kind: "completed", sign: "✓" };
  if (type === "FAILED") return { kind: "failed", sign: "✕" };
  if (type === "CRASHED") return { kind: "crashed", sign: "◆" };
  if (type === "CANCELLED" || name === "NotReady") return { kind: "cancelled", sign: "⊘" };
  if (type === "RUNNING") return { kind: "running", sign: "▶" };
  if (type === "CANCELLING") return { kind: "running", sign: "◌" };
  if (type === "SCHEDULED") return { kind: "waiting", sign: "↻" };
  return { kind: "pending", sign: "○" };
}

export const isFinal = (type) => ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"].includes(type);

export function chip(type, name, count) {
  const { kind, sign } = look(type, name);
  const words = count === undefined ? name ?? "no state" : `${name} ${count.toLocaleString()}`;
  return element("span", { class: `chip ${kind}` }, element("span", { class: "sign", "aria-hidden": "true" }, sign), words);
}

/** Shows what went wrong, or, without an error, that nothing does any more. */
export function trouble(error) {
  if (error?.name === "AbortError") return;
  const box = document.getElementById("trouble");
  box.textContent = error ? error.message : "";
  box.hidden = !error;
}

export function trail(...links) {
  const nav = document.getElementById("trail");
  nav.replaceChildren(...links.map(([words, href]) => (href ? element("a", { href }, words) : element("span", {}, words))));
}

/** Whether keys are meant for what has the focus. */
export const isTyping = (event) =>
  event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
