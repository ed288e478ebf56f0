// The picture of a history: lanes of attempts over time, on two canvases. The lower one holds the bars, the
// upper one what changes with the pointer, so that pointing at one of 100,000 bars draws one bar.

import { firstAt, lanesOf } from "./lanes.js";
import { drawBar, hasMark, palette } from "./bars.js";
import { element, took } from "./page.js";

const GUTTER = 132;
const AXIS = 26;
const GAP = 6;
const TALLEST = 460;
const MARKS_APART = 11;

export class Timeline {
  /** `selected(run)` is called where a run is selected, with null where none is any more. */
  constructor(history, { label, selected = () => {}, signal }) {
    this.history = history;
    this.selected = selected;
    this.base = element("canvas", { class: "bars" });
    this.overlay = element("canvas", { class: "overlay", tabindex: "0", role: "application", "aria-label": label });
    this.tip = element("div", { class: "tip", hidden: true, role: "status" });
    this.node = element("div", { class: "timeline" }, this.base, this.overlay, this.tip);
    this.from = 0;
    this.to = null; // null: all there is
    this.scroll = 0;
    this.height = 0;
    this.span = 0; // of what is compared with, to share a scale
    this.groups = [];
    this.rows = [];
    this.hovered = null;
    this.chosen = null;
    this.places = new Map();
    this.listen(signal);
  }

  /** Lay out and draw what the history holds by now; what runs still ends `now`. */
  update(now = this.history.end) {
    this.now = Math.max(now, this.history.end);
    this.groups = lanesOf(this.history, this.now);
    this.places.clear();
    const lanes = this.groups.reduce((sum, group) => sum + group.lanes.length, 0);
    const room = TALLEST - AXIS - GAP * this.groups.length;
    this.rowHeight = Math.max(4, Math.min(20, Math.floor(room / Math.max(lanes, 1))));
    this.rows = [];
    let y = AXIS;
    for (const group of this.groups) {
      group.y = y;
      for (const lane of group.lanes) {
        this.rows.push({ lane, y });
        y += this.rowHeight;
      }
      y += GAP;
    }
    this.fullHeight = y;
    this.height = Math.max(AXIS + 40, Math.min(TALLEST, y));
    this.draw();
  }

  get end() {
    return Math.max(this.to ?? Math.max(this.now, this.span), this.from + 1e-6);
  }

  draw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.paint();
    });
  }

  paint() {
    this.width = this.node.clientWidth;
    if (!this.width || !this.height) return; // hidden, or not laid out yet
    this.colours = palette(this.node);
    const context = prepared(this.base, this.width, this.height);
    context.font = "11px system-ui, sans-serif";
    this.scroll = Math.max(0, Math.min(this.scroll, this.fullHeight - this.height));
    this.paintAxis(context);
    context.save();
    context.beginPath();
    context.rect(0, AXIS, this.width, this.height - AXIS);
    context.clip();
    this.paintGroups(context);
    context.beginPath();
    context.rect(GUTTER, AXIS, this.width - GUTTER, this.height - AXIS);
    context.clip();
    for (const row of this.rows) this.paintRow(context, row);
    context.restore();
    this.paintOverlay();
    if (this.rows.length) this.node.dataset.painted = performance.now().toFixed(0);
  }

  x(moment) {
    return GUTTER + ((moment - this.from) / (this.end - this.from)) * (this.width - GUTTER - 8);
  }

  moment(x) {
    return this.from + ((x - GUTTER) / (this.width - GUTTER - 8)) * (this.end - this.from);
  }

  paintAxis(context) {
    const { quiet, line } = this.colours;
    const apart = niceStep((this.end - this.from) / Math.max(2, (this.width - GUTTER) / 110));
    context.fillStyle = quiet;
    context.strokeStyle = line;
    context.textBaseline = "middle";
    context.beginPath();
    for (let n = Math.ceil(this.from / apart); n * apart <= this.end; n++) {
      const x = Math.round(this.x(n * apart)) + 0.5;
      context.moveTo(x, AXIS - 4);
      context.lineTo(x, this.height);
      context.fillText(n === 0 ? "0" : took(Number((n * apart).toPrecision(6))), x + 4, AXIS / 2 - 2);
    }
    context.stroke();
  }

  paintGroups(context) {
    const { text, line } = this.colours;
    context.textBaseline = "middle";
    for (const group of this.groups) {
      const y = group.y - this.scroll;
      const tall = group.lanes.length * this.rowHeight;
      if (y + tall < AXIS || y > this.height) continue;
      context.fillStyle = line;
      context.fillRect(0, Math.round(y + tall + GAP / 2), this.width, 1);
      context.fillStyle = text;
      if (tall >= 9) context.fillText(shortened(context, group.worker, GUTTER - 14), 6, Math.max(y, AXIS) + Math.min(tall, 20) / 2);
    }
  }

  paintRow(context, { lane, y: top }) {
    const y = top - this.scroll;
    if (y + this.rowHeight < AXIS || y > this.height) return;
    let drawn = -1; // where the last bar ended: what is thinner than a pixel is drawn once
    let drawnKind = "";
    let lastMark = -Infinity; // crosses that stand closer are not told apart
    for (let at = firstAt(lane, this.from); at < lane.length && lane[at].from <= this.end; at++) {
      const bar = lane[at];
      const right = this.x(bar.to);
      if (right < drawn + 0.5 && bar.span.kind === drawnKind) continue;
      const left = this.x(bar.from);
      const marked = hasMark(bar.span.kind) && right >= lastMark + MARKS_APART;
      drawBar(context, this.colours, bar, Math.max(left, GUTTER - 20), y, Math.min(right, this.width + 20) - Math.max(left, GUTTER - 20), this.rowHeight, this.history, marked);
      if (marked) lastMark = right;
      drawn = right;
      drawnKind = bar.span.kind;
    }
  }

  /** Where each bar of a run is: [{bar, y}], in order. */
  placesOf(run) {
    if (!run) return [];
    if (!this.places.size) {
      for (const { lane, y } of this.rows) {
        for (const bar of lane) {
          if (!this.places.has(bar.run.id)) this.places.set(bar.run.id, []);
          this.places.get(bar.run.id).push({ bar, y });
        }
      }
      for (const found of this.places.values()) found.sort((a, b) => a.bar.from - b.bar.from);
    }
    return this.places.get(run.id) ?? [];
  }

  paintOverlay() {
    const context = prepared(this.overlay, this.width, this.height);
    context.beginPath();
    context.rect(GUTTER, AXIS, this.width - GUTTER, this.height - AXIS);
    context.clip();
    for (const run of new Set([this.chosen, this.hovered])) {
      const own = this.placesOf(run);
      if (!own.length) continue;
      context.strokeStyle = this.colours.text;
      context.lineWidth = 2;
      for (const { bar, y } of own) {
        const x = this.x(bar.from);
        context.strokeRect(x - 1, y - this.scroll, Math.max(this.x(bar.to) - x, 2) + 2, this.rowHeight - 1);
      }
      context.lineWidth = 2;
      context.strokeStyle = this.colours.waiting;
      for (let n = 1; n < own.length; n++) this.link(context, own[n - 1], own[n], true);
      context.lineWidth = 1.5;
      context.strokeStyle = this.colours.upstream;
      for (const input of run.inputs) {
        this.link(context, this.placesOf(this.history.runs.get(input.id)).at(-1), own[0], input.kind === "wait_for");
      }
      context.strokeStyle = this.colours.downstream;
      for (const id of (this.history.users.get(run.id) ?? []).slice(0, 500)) {
        const user = this.history.runs.get(id);
        const kind = user.inputs.find((input) => input.id === run.id).kind;
        this.link(context, own.at(-1), this.placesOf(user)[0], kind === "wait_for");
      }
    }
  }

  link(context, source, target, dashed) {
    if (!source || !target) return;
    const [x1, y1] = [this.x(source.bar.to), source.y - this.scroll + this.rowHeight / 2];
    const [x2, y2] = [this.x(target.bar.from), target.y - this.scroll + this.rowHeight / 2];
    const bend = Math.max(24, Math.abs(x2 - x1) / 2);
    context.setLineDash(dashed ? [4, 3] : []);
    context.beginPath();
    context.moveTo(x1, y1);
    context.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
    context.stroke();
    context.setLineDash([]);
    context.beginPath();
    context.moveTo(x2, y2);
    context.lineTo(x2 - 7, y2 - 4);
    context.lineTo(x2 - 7, y2 + 4);
    context.closePath();
    context.fillStyle = context.strokeStyle;
    context.fill();
  }

  /** The bar under a point of the picture, with some tolerance for thin ones. */
  barAt(x, y) {
    if (x < GUTTER || y < AXIS) return null;
    const row = this.rows.find((each) => y + this.scroll >= each.y && y + this.scroll < each.y + this.rowHeight);
    if (!row) return null;
    const [early, late] = [this.moment(x - 3), this.moment(x + 3)];
    let best = null;
    let distance = Infinity;
    for (let at = firstAt(row.lane, early); at < row.lane.length && row.lane[at].from <= late; at++) {
      const bar = row.lane[at];
      const away = Math.max(this.x(bar.from) - x, x - this.x(bar.to), 0);
      if (away < distance) [best, distance] = [bar, away];
    }
    return best;
  }

  select(run) {
    this.chosen = run;
    const [place] = this.placesOf(run);
    if (place) {
      if (place.y < this.scroll + AXIS) this.scroll = place.y - AXIS;
      else if (place.y + this.rowHeight > this.scroll + this.height) this.scroll = place.y + this.rowHeight - this.height;
      const width = this.end - this.from;
      if (this.to !== null && (place.bar.from > this.end || place.bar.to < this.from)) this.look(place.bar.from - width / 2, width);
    }
    this.draw();
    this.selected(run);
  }

  /** Show `width` seconds from `from`. */
  look(from, width) {
    const all = Math.max(this.now, this.span);
    if (width >= all) [this.from, this.to] = [0, null];
    else {
      this.from = Math.max(0, Math.min(from, all - width));
      this.to = this.from + Math.max(width, 1e-6);
    }
    this.draw();
  }

  zoom(factor, x = (GUTTER + this.width) / 2) {
    const middle = this.moment(x);
    const width = (this.end - this.from) * factor;
    this.look(middle - (middle - this.from) * factor, width);
  }

  point(bar, x, y) {
    if (this.hovered !== (bar?.run ?? null)) {
      this.hovered = bar?.run ?? null;
      this.paintOverlay();
    }
    this.tip.hidden = !bar;
    if (!bar) return;
    const { run, span } = bar;
    const words = [took(bar.to - bar.from), run.isFlow ? null : `attempt ${span.attempt || 1}`, run.isFlow ? null : (span.worker ?? run.worker), run.state];
    this.tip.replaceChildren(element("b", {}, this.history.name(run)), element("br"), words.filter(Boolean).join(" · "));
    this.tip.style.left = `${Math.min(x + 14, this.width - this.tip.offsetWidth - 4)}px`;
    this.tip.style.top = `${y + 18}px`;
  }

  listen(signal) {
    let drag = null;
    const at = (event) => [event.offsetX, event.offsetY];
    const on = (name, heard, options = {}) => this.overlay.addEventListener(name, heard, { signal, ...options });
    on("pointerdown", (event) => {
      drag = { x: event.offsetX, from: this.from, moved: false };
      this.overlay.setPointerCapture(event.pointerId);
    });
    on("pointermove", (event) => {
      if (!drag) return this.point(this.barAt(...at(event)), ...at(event));
      if (Math.abs(event.offsetX - drag.x) > 3) drag.moved = true;
      if (drag.moved && this.to !== null) {
        const width = this.end - this.from;
        this.look(drag.from - ((event.offsetX - drag.x) / (this.width - GUTTER)) * width, width);
      }
    });
    on("pointerup", (event) => {
      if (drag && !drag.moved) this.select(this.barAt(...at(event))?.run ?? null);
      drag = null;
    });
    on("pointerleave", () => this.point(null));
    on("dblclick", () => this.look(0, Infinity));
    on("wheel", (event) => {
      const width = this.end - this.from;
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(event.deltaY / 300), event.offsetX);
      else if (event.deltaX || event.shiftKey) this.look(this.from + ((event.deltaX || event.deltaY) / this.width) * width, width);
      else if (this.fullHeight > this.height) {
        this.scroll += event.deltaY;
        this.draw();
      } else return;
      event.preventDefault();
    }, { passive: false });
    on("keydown", (event) => this.key(event));
    const size = new ResizeObserver(() => this.draw());
    size.observe(this.node);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.draw(), { signal });
    signal.addEventListener("abort", () => size.disconnect());
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    if (event.key in moves) this.step(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(0.5);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0") this.look(0, Infinity);
    else if (event.key === "Escape") this.select(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Select the next bar of the lane, or the one at the same time in the next lane. */
  step(along, across) {
    if (!this.rows.length) return;
    const [place] = this.placesOf(this.chosen);
    if (!place) return this.select(this.rows[0].lane[0].run);
    let row = this.rows.findIndex((each) => each.y === place.y);
    let bar = this.rows[row].lane.indexOf(place.bar) + along;
    if (across) {
      row = Math.max(0, Math.min(this.rows.length - 1, row + across));
      bar = firstAt(this.rows[row].lane, place.bar.from);
    }
    const { lane } = this.rows[row];
    this.select(lane[Math.max(0, Math.min(lane.length - 1, bar))].run);
  }
}

function prepared(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return context;
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-7)));
  return [1, 2, 5, 10].find((step) => step * power >= rough) * power;
}

function shortened(context, words, width) {
  if (context.measureText(words).width <= width) return words;
  let keep = words.length;
  while (keep > 1 && context.measureText(`…${words.slice(-keep)}`).width > width) keep--;
  return `…${words.slice(-keep)}`;
}
