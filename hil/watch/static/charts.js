// The line charts, by uPlot (a global of the script that is loaded before).

import { css } from "./canvases.js";
import { number } from "./words.js";

const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000];
const COLOURS = ["--c0", "--c1", "--c2", "--c3"];

function axis(label, more = {}) {
  return { label, labelSize: 16, labelGap: -2, labelFont: "12px system-ui, sans-serif", font: "11px system-ui, sans-serif", size: 34,
    stroke: () => css("--muted"), grid: { stroke: () => css("--grid"), width: 1 }, ticks: { stroke: () => css("--line"), width: 1, size: 4 }, ...more };
}

class Chart {
  constructor(place, options) {
    this.place = place;
    this.plot = new uPlot({ legend: { show: false }, cursor: { drag: { x: false, y: false } }, padding: [8, 10, 0, 0], ...this.size(), ...options },
      options.series.map(() => []), place);
    new ResizeObserver(() => this.plot.setSize(this.size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot.redraw(false, true));
  }

  size() {
    return { width: Math.max(120, this.place.clientWidth), height: this.place.clientHeight };
  }
}

function line(colour, more = {}) {
  return { stroke: () => css(colour), width: 1.4, points: { show: false }, ...more };
}

const ticks = (_, values) => values.map((one) => number(one, Number.isInteger(one) ? 0 : 1));

export class Spectrum extends Chart {
  constructor(place, about) {
    const scale = about.rate_hz / about.bins;
    const span = about.rate_hz >= 4e6 ? [1e6, "MHz"] : [1e3, "kHz"];
    super(place, {
      scales: { x: { time: false, range: () => [-about.rate_hz / 2 / span[0], about.rate_hz / 2 / span[0]] }, y: { range: (_, low) => [Math.max(-150, Math.min(-60, Math.floor((low ?? -100) / 10) * 10)), 0] } },
      axes: [axis(`offset from the carrier (${span[1]})`, { values: ticks }), axis("dBFS", { values: ticks, size: 48 })],
      series: [{}, line("--hold", { width: 1 }), line("--c0", { width: 1.2 })],
    });
    this.x = Float64Array.from({ length: about.bins }, (_, k) => ((k - about.bins / 2) * scale) / span[0]);
    this.reset();
  }

  reset() {
    this.hold = null;
  }

  show(tenths) {
    const now = Float64Array.from(tenths, (one) => one / 10);
    this.hold = this.hold ? this.hold.map((one, k) => Math.max(one, now[k])) : now.slice();
    this.plot.setData([this.x, this.hold, now]);
  }
}

export class Carriers extends Chart {
  constructor(place) {
    super(place, {
      scales: { x: { time: false }, y: { range: (_, low, high) => [Math.floor(((low ?? 0) - 2) / 5) * 5, Math.ceil(((high ?? 20) + 2) / 5) * 5] } },
      axes: [axis("carrier", { values: ticks }), axis("dB", { values: ticks, size: 40 })],
      series: [{}, ...COLOURS.map((one) => line(one, { width: 1.2, points: { show: true, size: 4, fill: () => css(one), stroke: () => css(one) } }))],
    });
  }

  show(frame) {
    const rows = frame ? frame.carrier_snr : [];
    this.plot.setData([frame ? frame.carriers : [], ...COLOURS.map((_, tx) => (rows[tx] || []).map((one) => (one === null ? null : one / 10)))]);
  }
}

// SNR or carrier offset along the bursts: each frame a point, lost ones as marks at the foot, a line where we are.
export class Along extends Chart {
  constructor(place, key, unit, about, seek) {
    const dot = (one) => ({ ...line(one), paths: () => null, points: { show: true, size: 4, fill: () => css(one), stroke: () => css(one) } });
    let self = null;
    super(place, {
      scales: { x: { time: false, range: (_, low, high) => (low === null || low === high ? [(low ?? 0) - 1, (high ?? 0) + 1] : [low, high]) },
        y: { range: (_, low, high) => (low === null ? [0, 1] : [low - 0.08 * (high - low) - 0.5, high + 0.08 * (high - low) + 0.5]) } },
      axes: [about.x === "s" ? axis("time since the start (s)", { values: ticks }) : axis("burst", { values: ticks, incrs: WHOLE }), axis(unit, { values: ticks, size: 50 })],
      series: [{}, ...COLOURS.map(dot)],
      hooks: { draw: [(plot) => self && self.marks(plot)] },
    });
    self = this;
    [this.key, this.lost, this.here] = [key, [], null];
    if (seek) {
      this.plot.over.style.cursor = "pointer";
      this.plot.over.addEventListener("click", () => {
        const at = this.plot.posToVal(this.plot.cursor.left, "x");
        if (Number.isFinite(at)) seek(Math.round(at));
      });
    }
  }

  show(history) {
    this.lost = history.lost;
    this.plot.setData([history.x, ...COLOURS.map((_, tx) => history[this.key][tx] || [])]);
  }

  at(place) {
    if (place !== this.here) {
      this.here = place;
      this.plot.redraw(false, false);
    }
  }

  marks(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.strokeStyle = css("--warn");
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.beginPath();
    for (const one of this.lost) {
      const x = plot.valToPos(one, "x", true);
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x, bbox.top + bbox.height - 9 * devicePixelRatio);
    }
    ctx.stroke();
    if (this.here !== null) {
      ctx.strokeStyle = css("--muted");
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      const x = plot.valToPos(this.here, "x", true);
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }
}
