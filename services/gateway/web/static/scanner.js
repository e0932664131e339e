// The speed of scanners, by which desk.js and offline.js tell a scanned code from a typed one.
"use strict";

window.scanner = {
  FASTER: 50, // milliseconds between the keys of a scanner; nobody types a code so fast
  SHORTEST: 5, // characters of a scanned code
  timer: 0,

  // Call `done` when no key has come for a while. In a page that was busy meanwhile the keys may
  // still be on their way: it waits anew.
  whenDone(done) {
    const due = performance.now() + 4 * this.FASTER;
    const rested = () => (performance.now() - due > this.FASTER ? this.whenDone(done) : done());
    this.timer = setTimeout(rested, 4 * this.FASTER);
  },

  goesOn() {
    clearTimeout(this.timer);
  },
};
