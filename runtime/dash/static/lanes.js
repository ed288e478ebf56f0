// Which attempt is drawn in which lane: workers one below the other, in each as few lanes as its attempts need.

/** A heap of numbers with what belongs to them; the smallest comes first. */
class Heap {
  constructor() {
    this.items = [];
  }
  get least() {
    return this.items[0];
  }
  push(key, value) {
    const items = this.items;
    let at = items.length;
    items.push({ key, value });
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (items[above].key <= items[at].key) break;
      [items[above], items[at]] = [items[at], items[above]];
      at = above;
    }
  }
  pop() {
    const items = this.items;
    const least = items[0];
    const last = items.pop();
    if (items.length) {
      items[0] = last;
      for (let at = 0; ; ) {
        let below = 2 * at + 1;
        if (below >= items.length) break;
        if (below + 1 < items.length && items[below + 1].key < items[below].key) below++;
        if (items[at].key <= items[below].key) break;
        [items[at], items[below]] = [items[below], items[at]];
        at = below;
      }
    }
    return least.value;
  }
}

const FLOWS = "flows";
const HERE = "driver"; // the process of the flow: sequential tasks, cached results

/** Bars of a history: {run, span, from, to}. What is still open ends `now`. */
function bars(history, now) {
  const found = new Map();
  for (const run of history.runs.values()) {
    for (const span of run.spans) {
      if (span.kind === "waiting") continue; // nobody's lane: a wait holds no worker
      const worker = run.isFlow ? FLOWS : (span.worker ?? run.worker ?? HERE);
      if (!found.has(worker)) found.set(worker, []);
      found.get(worker).push({ run, span, from: span.from, to: span.to ?? Math.max(now, span.from) });
    }
  }
  return found;
}

const inOrder = new Intl.Collator(undefined, { numeric: true });

/** [{worker, lanes: [[bar, ...], ...]}], flows first; the bars of a lane do not overlap, and are in order. */
export function lanesOf(history, now) {
  const byWorker = bars(history, now);
  const workers = [...byWorker.keys()].sort((a, b) =>
    a === FLOWS ? -1 : b === FLOWS ? 1 : inOrder.compare(a, b));
  return workers.map((worker) => ({ worker, lanes: pack(byWorker.get(worker)) }));
}

function pack(barsOfWorker) {
  barsOfWorker.sort((a, b) => a.from - b.from || b.to - a.to);
  const lanes = [];
  const free = new Heap();
  const taken = new Heap();
  for (const bar of barsOfWorker) {
    while (taken.least && taken.least.key <= bar.from) {
      const lane = taken.pop();
      free.push(lane, lane);
    }
    const lane = free.least ? free.pop() : lanes.push([]) - 1;
    lanes[lane].push(bar);
    taken.push(bar.to, lane);
  }
  return lanes;
}

/** The number of the first bar of a lane that ends at `moment` or later. */
export function firstAt(lane, moment) {
  let low = 0;
  let high = lane.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lane[middle].to < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}
