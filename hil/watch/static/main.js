// The page: what is asked of the server, and where what comes is shown.

import { Constellation, Waterfall } from "./canvases.js";
import { Along, Carriers, Spectrum } from "./charts.js";
import { Connection } from "./connection.js";
import { bindControls, showTransport } from "./controls.js";
import { count, each, frequency, number, offset, roughly, stateWords } from "./words.js";

const STALE_MS = 5000;
const page = document.documentElement;
const $ = (id) => document.getElementById(id);
const errors = [];
for (const kind of ["error", "unhandledrejection"]) {
  addEventListener(kind, (event) => {
    errors.push(String(event.message || event.reason));
    page.dataset.errors = errors.join("; ");
  });
}

// What is asked: receiver; place and rate in a capture; whether the newest is followed; whether it stands still.
const view = { receiver: null, at: null, rate: 5, follow: null, paused: false, about: null, last: null, news: performance.now() };
let charts = null;

function query() {
  if (view.about && view.about.source === "bench") return { receiver: view.receiver };
  const rate = view.paused ? 0 : view.rate;
  return { receiver: view.receiver, at: view.follow ? null : view.at, rate, follow: view.follow ? true : null };
}

const connection = new Connection({
  about(about) {
    const same = view.about && ["source", "rate_hz", "receiver", "carrier_hz", "transmitters"].every((key) => view.about[key] === about[key]);
    view.about = about;
    if (about.rate_hz && !(same && charts)) build(about);
    $("meta").textContent = [
      about.bench && about.source !== "bench" ? `bench ${about.bench}` : null,
      about.rate_hz ? `${frequency(about.rate_hz).replace("Hz", "S/s")} at ${frequency(about.carrier_hz)}` : null,
      about.source === "bench" ? "receiving only" : about.source === "run" ? "a run, read from its capture" : "a capture",
    ].filter(Boolean).join(" · ");
    const several = about.receivers.length > 1;
    $("receivers").hidden = !several;
    if (several) $("receiver").replaceChildren(...about.receivers.map((name) => new Option(name, name, false, name === about.receiver)));
    $("lost-name").textContent = about.source === "bench" ? "samples missing" : "frames lost";
    showTransport(view);
  },
  update(update) {
    if (update.state === "failed") {
      say("failed", `Stopped: ${update.why}`, true);
      connection.close();
      return;
    }
    view.news = performance.now();
    page.classList.remove("stale");
    show(update);
  },
  beat() {
    const still = performance.now() - view.news;
    if (page.classList.contains("stale")) {
      page.classList.remove("stale");
      say(view.last ? view.last.state : "waiting");
    }
    if (still > STALE_MS && view.last && view.last.state === "live") {
      say("live", `Nothing new for ${Math.round(still / 1000)} s: the run computes, waits for something, or was stopped.`);
    }
  },
  lost() {
    page.classList.add("stale");
    say("lost", "The connection to hil watch is lost: what is shown is the last that came. Trying again; if hil watch was ended, start it again.", true);
  },
});

function say(state, notice = "", bad = false) {
  const [words, kind] = stateWords(state);
  $("state").textContent = words;
  $("state").className = `badge ${kind}`;
  $("notice").hidden = !notice;
  $("notice").textContent = notice;
  $("notice").classList.toggle("bad", bad);
  page.dataset.state = state;
}

function build(about) {
  for (const id of ["spectrum", "carriers", "snr-line", "cfo-line"]) $(id).replaceChildren();
  const seek = about.x === "burst" ? (place) => actions.seek(place) : null;
  charts = {
    spectrum: new Spectrum($("spectrum"), about),
    carriers: new Carriers($("carriers")),
    snr: new Along($("snr-line"), "snr", "dB", about, seek),
    cfo: new Along($("cfo-line"), "cfo", "Hz", about, seek),
    waterfall: new Waterfall($("waterfall"), about.bins, { low: $("scale-low"), high: $("scale-high"), scale: $("scale") }),
    constellation: new Constellation($("constellation")),
  };
  charts.constellation.show(null);
  $("spectrum-note").textContent = `${roughly((about.rbw_bins * about.rate_hz) / about.bins)} bandwidth; grey: peaks held`;
  const half = about.rate_hz / 2;
  $("waterfall-ticks").replaceChildren(...[-1, -0.5, 0, 0.5, 1].map((part) => {
    const tick = document.createElement("span");
    tick.textContent = part ? `${part > 0 ? "+" : "−"}${frequency(Math.abs(part) * half)}` : "carrier";
    return tick;
  }));
}

const HINTS = {
  waiting: "Nothing has been sent yet: the run is being prepared. The page goes on by itself.",
  ended: { run: "The run has ended. Space plays it from the beginning.", capture: "The end of the capture. Space plays it again." },
};

function show(update) {
  view.last = update;
  const hint = update.state === "ended" ? HINTS.ended[view.about.source] : HINTS[update.state];
  say(update.state, hint || "");
  page.dataset.updates = Number(page.dataset.updates || 0) + 1;
  if (update.burst !== undefined) view.at = update.burst;
  if (view.follow === null && update.state !== "waiting") view.follow = update.state === "live";
  figures(update);
  if (charts) draw(update);
  showTransport(view);
}

function draw(update) {
  if (update.spectrum) {
    charts.spectrum.show(update.spectrum);
    $("spectrum-empty").hidden = true;
    if (view.before !== undefined && update.burst < view.before) charts.waterfall.clear();
    charts.waterfall.push(update.spectrum);
  }
  view.before = update.burst;
  const frame = update.frame || null;
  charts.constellation.show(frame);
  charts.carriers.show(frame);
  $("constellation-note").textContent = frame ? frame.shows : "";
  $("carriers-note").textContent = frame && frame.carrier_snr.length > 1 ? "a colour a transmitter" : "";
  for (const id of ["constellation-empty", "carriers-empty"]) {
    $(id).hidden = Boolean(frame);
    $(id).textContent = update.state === "waiting" ? "no frame yet" : update.burst === undefined ? "no frame in what is heard now" : "no frame found in this burst";
  }
  page.dataset.points = frame ? frame.i.length : 0;
  if (update.history) {
    for (const key of ["snr", "cfo"]) {
      charts[key].show(update.history);
      $(`${key}-empty`).hidden = update.history.x.length > 0;
    }
    const every = update.history.every > 1 ? `every ${update.history.every}th frame` : "every frame";
    $("snr-note").textContent = `${every}${update.history.lost.length ? "; red: lost" : ""}`;
  }
  if (update.burst !== undefined) for (const key of ["snr", "cfo"]) charts[key].at(update.burst);
}

function figures(update) {
  const frame = update.frame, levels = update.levels, tally = update.counts;
  const set = (id, text, more = "\u00a0", bad = false) => {
    $(id).textContent = text;
    $(`${id}-more`).textContent = more;
    $(id).parentElement.classList.toggle("bad", bad);
  };
  set("snr", frame ? each(frame.snr, 1, "dB") : "–", frame && frame.snr.length > 1 ? "by transmitter" : undefined);
  set("cfo", frame ? frame.cfo.map(offset).join(" / ") : "–", frame ? `± ${frame.cfo_error.map(offset).join(" / ")}` : undefined);
  if (levels) {
    const clips = levels.clipped_high + levels.clipped_low;
    const room = (value) => (value === null ? "–" : `${number(value, 1)} dB`);
    set("level", levels.rms_dbfs === null ? "silent" : `${number(levels.rms_dbfs, 1)} dBFS`, levels.dc_dbfs === null ? undefined : `DC ${number(levels.dc_dbfs, 0)} dBFS`);
    set("upper", room(levels.upper_db), undefined, levels.upper_db !== null && levels.upper_db < 1);
    set("lower", room(levels.lower_db), undefined, levels.lower_db !== null && levels.lower_db < 1);
    set("clips", count(clips), clips ? `${count(levels.clipped_high)} upper, ${count(levels.clipped_low)} lower` : "in this burst", clips > 0);
  }
  if (tally) {
    set("found", count(tally.found), tally.gated ? `${count(tally.gated)} gated` : undefined);
    const parts = [["late", tally.late], ["overflow", tally.overflow]].filter(([, n]) => n).map(([word, n]) => `${count(n)} ${word}`);
    if (tally.missing !== undefined) set("lost", count(tally.missing), "said by the radio", tally.missing > 0);
    else set("lost", count(tally.lost), parts.join(", ") || "\u00a0", tally.lost > 0);
  }
}

const bench = () => view.about && view.about.source === "bench";
const actions = {
  view,
  reopen: () => connection.open(query),
  pause() {
    if (!bench() && view.last && view.last.state === "ended") {
      [view.paused, view.follow, view.at] = [false, false, 0];
      actions.reopen();
      return;
    }
    view.paused = !view.paused;
    if (bench() && view.paused) {
      connection.close();
      say("paused");
    } else {
      if (!bench() && view.paused) view.follow = false;
      actions.reopen();
    }
    showTransport(view);
  },
  seek(place) {
    if (bench() || !view.last || !view.last.bursts) return;
    [view.at, view.follow] = [Math.max(0, Math.min(view.last.bursts - 1, place)), false];
    actions.reopen();
  },
  step(by) {
    view.paused = true;
    actions.seek((view.at || 0) + by);
  },
  live() {
    if (!view.about || view.about.source !== "run") return;
    [view.follow, view.paused] = [true, false];
    actions.reopen();
  },
  rate(value) {
    [view.rate, view.paused, view.follow] = [value, false, false];
    actions.reopen();
  },
  receiver(name) {
    view.receiver = name;
    if (charts) charts.waterfall.clear();
    actions.reopen();
  },
  hold() {
    if (charts) charts.spectrum.reset();
  },
};

bindControls(actions);
actions.reopen();
