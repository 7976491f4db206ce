// Buttons, the slider and the keyboard.

import { count } from "./words.js";

const RATES = [1, 2, 5, 10, 50, 200];
const $ = (id) => document.getElementById(id);

export function showTransport(view) {
  const recorded = Boolean(view.about && view.about.source !== "bench"), last = view.last || {};
  const still = view.paused || last.state === "ended";
  $("play").textContent = still ? "▶" : "❚❚";
  $("play").setAttribute("aria-label", still ? "Go on" : "Pause");
  for (const id of ["steps", "place", "rates"]) $(id).hidden = !recorded;
  $("live").hidden = !(view.about && view.about.source === "run");
  $("live").setAttribute("aria-pressed", String(Boolean(view.follow)));
  $("rate").value = String(view.rate);
  if (recorded && last.bursts) {
    $("place").max = String(last.bursts - 1);
    if (document.activeElement !== $("place") || !view.dragging) $("place").value = String(last.burst);
    $("where").textContent = `burst ${count(last.burst + 1)} of ${count(last.bursts)} · ${last.kind === "frame" ? last.point : last.kind}`;
  } else if (!recorded && last.at_s !== undefined) {
    $("where").textContent = `listening for ${count(Math.round(last.at_s))} s`;
  } else {
    $("where").textContent = "\u00a0";
  }
}

export function bindControls(actions) {
  const { view } = actions, dialog = $("help"), rate = $("rate"), place = $("place");
  rate.replaceChildren(...RATES.map((one) => new Option(`${one} burst${one > 1 ? "s" : ""}/s`, one, false, one === view.rate)));
  $("play").addEventListener("click", actions.pause);
  $("back").addEventListener("click", () => actions.step(-1));
  $("forth").addEventListener("click", () => actions.step(1));
  $("live").addEventListener("click", actions.live);
  $("help-button").addEventListener("click", () => dialog.showModal());
  $("receiver").addEventListener("change", (event) => actions.receiver(event.target.value));
  rate.addEventListener("change", () => actions.rate(Number(rate.value)));
  place.addEventListener("pointerdown", () => (view.dragging = true));
  place.addEventListener("pointerup", () => (view.dragging = false));
  place.addEventListener("change", () => actions.seek(Number(place.value)));
  addEventListener("keydown", (event) => key(event, actions, dialog));
}

function key(event, actions, dialog) {
  if (event.ctrlKey || event.altKey || event.metaKey || dialog.open) return;
  if (event.target.matches("select") || (event.target.matches("button") && event.key === " ")) return;
  const step = event.shiftKey ? 10 : 1, { view } = actions;
  const faster = (by) => actions.rate(RATES[Math.max(0, Math.min(RATES.length - 1, RATES.indexOf(view.rate) + by))]);
  const known = {
    " ": actions.pause, ArrowLeft: () => actions.step(-step), ArrowRight: () => actions.step(step), "?": () => dialog.showModal(),
    Home: () => actions.seek(0), End: () => actions.seek(Infinity), "+": () => faster(1), "-": () => faster(-1),
    l: actions.live, h: actions.hold, r: () => nextReceiver(actions),
  };
  const act = known[event.key] || known[event.key.toLowerCase()];
  if (act) {
    event.preventDefault();
    act();
  }
}

function nextReceiver(actions) {
  const about = actions.view.about;
  if (!about || about.receivers.length < 2) return;
  actions.receiver(about.receivers[(about.receivers.indexOf(about.receiver) + 1) % about.receivers.length]);
}
