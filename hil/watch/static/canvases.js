// The waterfall and the constellation, drawn on canvases.

import { number } from "./words.js";

const ROWS = 160;
const STOPS = [[11, 10, 22], [56, 15, 109], [136, 34, 106], [212, 72, 66], [249, 149, 10], [252, 255, 164]];
const TABLE = table();

function table() {
  const out = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (STOPS.length - 1), low = Math.min(STOPS.length - 2, Math.floor(place));
    const mix = STOPS[low].map((one, k) => Math.round(one + (STOPS[low + 1][k] - one) * (place - low)));
    out[i] = (255 << 24) | (mix[2] << 16) | (mix[1] << 8) | mix[0];
  }
  return out;
}

export function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Rows are kept as numbers, so that the scale that is written below holds for all that is shown.
export class Waterfall {
  constructor(canvas, bins, labels) {
    [this.canvas, this.bins, this.labels] = [canvas, bins, labels];
    canvas.width = bins;
    canvas.height = ROWS;
    this.context = canvas.getContext("2d");
    this.image = this.context.createImageData(bins, ROWS);
    this.pixels = new Uint32Array(this.image.data.buffer);
    const scale = labels.scale.getContext("2d"), strip = scale.createImageData(256, 1);
    new Uint32Array(strip.data.buffer).set(TABLE);
    scale.putImageData(strip, 0, 0);
    this.clear();
  }

  clear() {
    this.rows = [];
    this.range = null;
    this.draw();
  }

  push(tenths) {
    this.rows.unshift(Int16Array.from(tenths));
    if (this.rows.length > ROWS) this.rows.pop();
    const sorted = Int16Array.from(tenths).sort();
    const low = sorted[Math.floor(sorted.length * 0.1)] - 40, high = Math.max(sorted[sorted.length - 1], low + 250);
    const now = this.range || [low, high];
    this.range = [now[0] + 0.1 * (low - now[0]), Math.max(high, now[1] + 0.02 * (high - now[1]))];
    this.draw();
  }

  draw() {
    const [low, high] = this.range || [0, 1], gain = 255 / (high - low);
    this.pixels.fill(TABLE[0]);
    this.rows.forEach((row, y) => {
      const at = y * this.bins;
      for (let x = 0; x < this.bins; x++) this.pixels[at + x] = TABLE[Math.max(0, Math.min(255, ((row[x] - low) * gain) | 0))];
    });
    this.context.putImageData(this.image, 0, 0);
    this.labels.low.textContent = this.range ? `${number(low / 10, 0)} dBFS` : "";
    this.labels.high.textContent = this.range ? `${number(high / 10, 0)} dBFS` : "";
  }
}

const SPANS = [1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32];

export class Constellation {
  constructor(canvas) {
    [this.canvas, this.context, this.frame] = [canvas, canvas.getContext("2d"), null];
    this.span = 2;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(frame) {
    this.frame = frame;
    if (frame) {
      const sizes = frame.i.map((one, k) => Math.max(Math.abs(one), Math.abs(frame.q[k]))).sort((a, b) => a - b);
      const most = (sizes[Math.floor(sizes.length * 0.98)] || 1000) / 1000;
      const fits = SPANS.find((one) => one >= most) || SPANS[SPANS.length - 1];
      if (fits > this.span || fits < 0.6 * this.span) this.span = fits;
    }
    this.draw();
  }

  draw() {
    const size = this.canvas.clientWidth * devicePixelRatio || 300, context = this.context, span = this.span;
    this.canvas.width = this.canvas.height = size;
    const edge = 30 * devicePixelRatio, room = size - edge - 6 * devicePixelRatio;
    const x = (value) => edge + ((value + span) / (2 * span)) * room, y = (value) => 6 * devicePixelRatio + ((span - value) / (2 * span)) * room;
    context.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    context.lineWidth = devicePixelRatio;
    const ticks = [-span, -span / 2, 0, span / 2, span];
    for (const tick of ticks) {
      context.strokeStyle = css(tick === 0 ? "--line" : "--grid");
      context.beginPath();
      context.moveTo(x(tick), y(-span));
      context.lineTo(x(tick), y(span));
      context.moveTo(x(-span), y(tick));
      context.lineTo(x(span), y(tick));
      context.stroke();
      context.fillStyle = css("--muted");
      context.textAlign = "center";
      context.fillText(number(tick, tick % 1 ? 2 : 0), x(tick), size - edge + 22 * devicePixelRatio);
      context.textAlign = "right";
      context.fillText(number(tick, tick % 1 ? 2 : 0), edge - 5 * devicePixelRatio, y(tick) + 4 * devicePixelRatio);
    }
    context.textAlign = "right";
    context.fillText("I", x(span) - 4 * devicePixelRatio, y(0) - 5 * devicePixelRatio);
    context.fillText("Q", x(0) - 5 * devicePixelRatio, y(span) + 13 * devicePixelRatio);
    if (!this.frame) return;
    context.fillStyle = css("--c0");
    context.globalAlpha = 0.6;
    const dot = 2.4 * devicePixelRatio, limit = span * 1000;
    this.frame.i.forEach((one, k) => {
      if (Math.abs(one) <= limit && Math.abs(this.frame.q[k]) <= limit) {
        context.fillRect(x(one / 1000) - dot / 2, y(this.frame.q[k] / 1000) - dot / 2, dot, dot);
      }
    });
    context.globalAlpha = 1;
  }
}
