// The stream of events: opened, watched over, opened again.

const SILENT_MS = 3500;
const AGAIN_MS = 1500;

export class Connection {
  // told: { about, update, beat, lost }
  constructor(told) {
    this.told = told;
    this.source = null;
    this.token = new URLSearchParams(location.search).get("token");
    this.timer = setInterval(() => this.check(), 500);
  }

  // Ask for a stream; `query` is a function, for the next try may want another place.
  open(query) {
    this.query = query;
    this.close();
    const words = new URLSearchParams(Object.entries(query()).filter(([, value]) => value !== null && value !== undefined));
    if (this.token) words.set("token", this.token);
    const source = new EventSource(`/events?${words}`);
    this.source = source;
    this.heard = performance.now();
    const mine = (act) => (event) => {
      if (this.source !== source) return;
      this.heard = performance.now();
      act(JSON.parse(event.data));
    };
    source.addEventListener("about", mine((data) => this.told.about(data)));
    source.addEventListener("update", mine((data) => this.told.update(data)));
    source.addEventListener("beat", mine(() => this.told.beat()));
    source.onerror = () => {
      if (this.source === source) this.lose();
    };
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
    clearTimeout(this.again);
  }

  lose() {
    this.close();
    this.told.lost();
    this.again = setTimeout(() => this.open(this.query), AGAIN_MS);
  }

  check() {
    if (this.source && performance.now() - this.heard > SILENT_MS) this.lose();
  }
}
