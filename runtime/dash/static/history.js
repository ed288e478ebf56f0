// The history of one flow run, made up from its changes of state as they come.

import { ask, look } from "./page.js";

/** A task run or subflow run. `spans` are its attempts and the waits between them, one after another. */
class Run {
  constructor(begun) {
    [this.id, this.flow, this.parent, this.task, this.n, this.title, this.inputs, this.isFlow] = begun;
    this.inputs = JSON.parse(this.inputs).map(([kind, parameter, id]) => ({ kind, parameter, id: id.replaceAll("-", "") }));
    this.spans = [];
    this.type = "PENDING";
    this.state = "Pending";
    this.attempts = 0;
    this.worker = null;
    this.at = 0;
  }

  get kind() {
    return look(this.type, this.state).kind;
  }

  /** Seconds that its attempts took together. */
  get busy() {
    return this.spans.reduce((sum, span) => sum + (span.kind === "waiting" ? 0 : (span.to ?? span.from) - span.from), 0);
  }

  change(type, state, elapsed, attempt, worker) {
    const { kind } = look(type, state);
    const open = this.spans.at(-1);
    if (open && open.to === null) {
      if (kind === "running") { // the same attempt says more: where it runs, that it is being cancelled
        open.worker = worker ?? open.worker;
        if (attempt === open.attempt) return this.say(type, state, elapsed, attempt, worker);
      }
      open.to = elapsed;
      open.worker ??= worker;
      if (open.kind === "running") open.kind = kind === "waiting" || kind === "running" ? "failed" : kind;
    } else if (this.spans.length === 0 && kind !== "running" && kind !== "pending" && kind !== "waiting") {
      this.spans.push({ from: elapsed, to: elapsed, kind, attempt, worker }); // it never ran: cached, not ready
    }
    if (kind === "running" || kind === "waiting") {
      this.spans.push({ from: elapsed, to: null, kind, attempt, worker: kind === "waiting" ? open?.worker ?? null : worker });
    }
    this.say(type, state, elapsed, attempt, worker);
  }

  say(type, state, elapsed, attempt, worker) {
    this.type = type;
    this.state = state;
    this.at = elapsed;
    this.attempts = Math.max(this.attempts, attempt);
    this.worker = worker ?? this.worker;
  }
}

export class History {
  constructor(id) {
    this.id = id;
    this.runs = new Map();
    this.root = new Run([id, "", "", "", 0, null, "[]", 1]);
    this.runs.set(id, this.root);
    this.next = 0;
    this.end = 0;
    this.users = new Map(); // who took what a run returned
  }

  /** All that came since; `paint` is called on the way, each time it is half as much again. */
  async catchUp(signal, paint = () => {}) {
    let painted = this.next;
    const from = (position) => ask("part", { run: this.id, start: position }, signal);
    for (let asked = from(this.next); asked; ) {
      const part = await asked;
      asked = part.more ? from(part.changes.at(-1)[0] + 1) : null; // comes while this one is drawn
      this.apply(part);
      if (!asked || this.next < 1.5 * painted) continue;
      paint();
      painted = this.next;
    }
  }

  apply({ begun, changes }) {
    for (const each of begun) {
      if (this.runs.has(each[0])) continue;
      const run = new Run(each);
      this.runs.set(run.id, run);
      for (const input of run.inputs) {
        if (!this.users.has(input.id)) this.users.set(input.id, []);
        this.users.get(input.id).push(run.id);
      }
    }
    for (const [position, id, type, state, elapsed, attempt, , worker] of changes) {
      if (position < this.next) continue;
      this.runs.get(id)?.change(type, state, elapsed, attempt, worker);
      this.next = position + 1;
      if (elapsed > this.end) this.end = elapsed;
    }
  }

  /** `add-0`, `outer-0/add-0`, `child-flow-0/add-0` */
  name(run) {
    if (run === this.root) return "the flow itself";
    if (run.path === undefined) {
      const above = this.runs.get(run.parent || run.flow);
      const last = `${run.task}-${run.n}`;
      run.path = above && above !== this.root ? `${this.name(above)}/${last}` : last;
    }
    return run.path;
  }

  /** How many task runs are in each state. */
  tally() {
    const counts = new Map();
    for (const run of this.runs.values()) {
      if (run.isFlow) continue;
      const known = counts.get(run.state);
      if (known) known.count++;
      else counts.set(run.state, { type: run.type, count: 1 });
    }
    return counts;
  }

  taskRuns() {
    return [...this.runs.values()].filter((run) => !run.isFlow);
  }
}
