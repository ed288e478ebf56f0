// How one attempt looks: a colour for each way it can end, and a shape, so that nobody needs the colour.

const KINDS = ["completed", "failed", "crashed", "cancelled", "running", "waiting", "pending"];

export const hasMark = (kind) => kind === "failed" || kind === "crashed";

/** The colours that the style sheet gives, by name. */
export function palette(node) {
  const style = getComputedStyle(node);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  const colours = Object.fromEntries(KINDS.map((kind) => [kind, read(kind)]));
  for (const name of ["text", "quiet", "line", "ground", "upstream", "downstream", "onbar"]) colours[name] = read(name);
  return colours;
}

/** A `marked` bar gets its cross or diamond. */
export function drawBar(context, colours, bar, x, y, width, height, history, marked) {
  const { kind } = bar.span;
  const wide = Math.max(width, 1);
  const tall = height - (height > 6 ? 2 : 1);
  context.fillStyle = colours[kind];
  if (kind === "cancelled" && wide > 4) { // hollow
    context.strokeStyle = colours[kind];
    context.lineWidth = 1.5;
    context.strokeRect(x + 0.75, y + 0.75, wide - 1.5, tall - 1.5);
  } else if (wide > 6 && height >= 9) {
    context.beginPath();
    context.roundRect(x, y, wide, tall, kind === "running" ? [3, 0, 0, 3] : 3);
    context.fill();
  } else {
    context.fillRect(x, y, wide, tall);
  }
  if (wide > 6 && kind === "failed") stripes(context, colours.ground, x, y, wide, tall);
  if (kind === "running") arrow(context, colours[kind], x + wide, y, tall);
  else if (marked && height >= 8) mark(context, colours, kind, x + wide, y + tall / 2, tall);
  if (wide > 44 && height >= 14) label(context, colours, bar, x, y, wide, tall, history);
}

function stripes(context, colour, x, y, width, height) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.globalAlpha = 0.35;
  context.lineWidth = 2;
  context.beginPath();
  for (let at = x - height; at < x + width; at += 7) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

/** It goes on: an arrow head where it has come to. */
function arrow(context, colour, x, y, height) {
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x + Math.min(6, height / 2), y + height / 2);
  context.lineTo(x, y + height);
  context.fill();
}

/** A cross at the end of what failed, a diamond at the end of what crashed; visible on the thinnest bar. */
function mark(context, colours, kind, x, y, height) {
  const half = Math.min(4.5, height / 2 - 1);
  context.beginPath();
  if (kind === "failed") {
    context.moveTo(x - half, y - half);
    context.lineTo(x + half, y + half);
    context.moveTo(x + half, y - half);
    context.lineTo(x - half, y + half);
    context.lineWidth = 4;
    context.strokeStyle = colours.ground;
    context.stroke();
    context.lineWidth = 2;
    context.strokeStyle = colours.failed;
    context.stroke();
  } else {
    context.moveTo(x, y - half - 1);
    context.lineTo(x + half + 1, y);
    context.lineTo(x, y + half + 1);
    context.lineTo(x - half - 1, y);
    context.closePath();
    context.fillStyle = colours.crashed;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = colours.ground;
    context.stroke();
  }
}

function label(context, colours, bar, x, y, width, height, history) {
  const words = bar.run === history.root ? "flow" : history.name(bar.run);
  const fits = Math.floor((width - 16) / 6.2);
  if (fits < 3) return;
  context.fillStyle = bar.span.kind === "cancelled" ? colours.text : colours.onbar;
  if (bar.span.kind === "failed") { // its stripes would run through the letters
    const shown = words.slice(0, fits);
    context.fillStyle = colours.failed;
    context.fillRect(x + 3, y + 1, context.measureText(shown).width + 6, height - 2);
    context.fillStyle = colours.onbar;
  }
  context.textBaseline = "middle";
  context.fillText(words.length > fits ? `${words.slice(0, fits - 1)}…` : words, x + 6, y + height / 2 + 0.5);
}
