// Numbers as people read them.

const MINUS = "\u2212";

export function number(value, digits = 1) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  return value.toFixed(digits).replace("-", MINUS);
}

export function count(value) {
  return value === undefined || value === null ? "–" : value.toLocaleString("en-US");
}

// Several values, one a transmitter.
export function each(values, digits, unit) {
  if (!values || !values.length) return "–";
  return values.map((value) => number(value, digits)).join(" / ") + ` ${unit}`;
}

export function frequency(hz) {
  if (hz === null || hz === undefined) return "?";
  for (const [size, unit] of [[1e9, "GHz"], [1e6, "MHz"], [1e3, "kHz"]]) {
    if (Math.abs(hz) >= size) return `${parseFloat((hz / size).toPrecision(7))} ${unit}`;
  }
  return `${parseFloat(hz.toPrecision(4))} Hz`;
}

// A bandwidth: three digits tell enough.
export function roughly(hz) {
  return frequency(Number(hz.toPrecision(3)));
}

export function offset(hz) {
  const size = Math.abs(hz) >= 9995 ? [1e3, "kHz", 1] : [1, "Hz", 0];
  return hz === null ? "–" : `${number(hz / size[0], size[2])} ${size[1]}`;
}

const STATES = {
  waiting: ["waiting", "calm"], live: ["live", "live"], playing: ["playing", "calm"], paused: ["paused", "calm"],
  ended: ["end", "calm"], failed: ["stopped", "bad"], lost: ["connection lost", "bad"], connecting: ["connecting", "calm"],
};

export function stateWords(state) {
  return STATES[state] || [state, "calm"];
}
