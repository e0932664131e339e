// For scanners, which type a code and then Enter, Tab or nothing, at any moment and faster than a
// page loads. Without "defer": what is typed while the page loads is kept for its form.
"use strict";

(function () {
  const KEPT = "carrel-scanned";
  const MUTED = "carrel-muted";
  const FIELDS = "a, button, input, select, textarea, summary";
  const { FASTER, SHORTEST } = window.scanner;
  const AGAIN_MS = 3000; // until a scan that found no connection is sent again
  let early = ""; // typed before the form was there
  let late = ""; // typed after a form was sent that brings another page
  let leaves = false; // such a form is on its way
  const scans = []; // scans that wait for their answers, with their keys
  let isSending = false;
  let number = 0; // of the scans of this page; with the form's key it makes the key of each

  function stream() {
    return document.querySelector("form.stream");
  }

  // The field that the next code belongs to: that of the page, else the scan box.
  function field() {
    return document.querySelector("form.scan [data-scan]") || document.getElementById("find");
  }

  function begin(into) {
    into.focus();
    into.setSelectionRange(into.value.length, into.value.length);
    return into;
  }

  // Codes that were typed before their field was there: each whole one is sent.
  function put(text) {
    const into = begin(field());
    for (const line of text.match(/[^\n]+\n?|\n/g) || []) {
      if (leaves) {
        late += line; // what comes after a card is for its page
        continue;
      }
      into.value += line.trim();
      if (line.endsWith("\n") && into.value) {
        into.form.requestSubmit();
      }
    }
  }

  function flush() {
    if (early && field()) {
      const text = early;
      early = "";
      put(text);
    }
  }

  // Codes have no spaces; Space and the other keys are the browser's.
  function types(event) {
    const whole = !(event.ctrlKey || event.altKey || event.metaKey || event.isComposing);
    return whole && event.key.length === 1 && event.key !== " ";
  }

  function outside(event) {
    const ends = event.key === "Enter" || event.key === "Tab";
    if (leaves) {
      if (types(event) || (late && ends)) {
        late += ends ? "\n" : event.key;
        event.preventDefault();
      }
    } else if (!field()) {
      if (document.readyState === "loading" && (types(event) || (early && ends))) {
        early += ends ? "\n" : event.key;
        event.preventDefault();
      }
    } else {
      flush();
      if (types(event)) {
        begin(field()); // which then gets the character
      }
    }
  }

  let scanned = 0; // characters of the field that came as from a scanner
  let last = 0;

  // A scanner may end a code with Enter, which sends a form anyway, with Tab, or with nothing.
  function inBox(event, box) {
    window.scanner.goesOn();
    if (leaves && box.form.matches(".scan") && (types(event) || event.key === "Enter" || event.key === "Tab")) {
      late += types(event) ? event.key : "\n"; // the page that comes has the field for it
      event.preventDefault();
      return;
    }
    const isFast = event.timeStamp - last < FASTER;
    last = event.timeStamp;
    if (types(event)) {
      scanned = isFast ? scanned + 1 : 1;
    }
    const whole = scanned >= SHORTEST && scanned >= box.value.length;
    if (event.key === "Tab" && !event.shiftKey && box.value && (whole || box.form.matches(".stream"))) {
      event.preventDefault();
      box.form.requestSubmit();
    } else if (types(event) && scanned >= SHORTEST) {
      window.scanner.whenDone(() => scanned >= box.value.length && box.value && box.form.requestSubmit());
    }
  }

  document.addEventListener("keydown", function (event) {
    if (event.target.matches?.("#find, [data-scan]")) {
      inBox(event, event.target);
      return;
    }
    if (event.key === "Enter" && event.target.id === "override") {
      event.preventDefault(); // the first button of the form is that of scans
      event.target.form.querySelector("[name=again]").click();
      return;
    }
    if (event.key === "Tab" && !event.shiftKey && event.target.matches?.("[data-scans]")) {
      // A list of codes: a scanner that ends each with Tab goes to the next line. On an empty line
      // Tab leaves the list as usual.
      const list = event.target;
      if (!list.value.slice(0, list.selectionStart).match(/(^|\n)$/)) {
        event.preventDefault();
        list.setRangeText("\n", list.selectionStart, list.selectionEnd, "end");
      }
      return;
    }
    const at = event.target instanceof Element ? event.target.closest(FIELDS) : null;
    if (!at || (leaves && at.type === "submit")) {
      outside(event);
    }
  });

  // ---- a stream: each scan is answered in the list, and the page stays --------------------------

  document.addEventListener(
    "submit",
    function (event) {
      const form = event.target;
      window.scanner.goesOn();
      if (event.defaultPrevented || !form.matches(".scan")) {
        return;
      }
      const isScan = form === stream() && !event.submitter?.name;
      if (isScan) {
        event.preventDefault();
        const code = form.elements.barcodes.value.trim();
        form.elements.barcodes.value = "";
        scanned = 0;
        if (code) {
          scans.push({ code, key: `${form.elements.key.value}-${++number}` });
          send();
        }
      } else if (scans.length || leaves) {
        event.preventDefault(); // an undo of the last is one of the last answer
      } else if (navigator.onLine && form.method === "post") {
        event.preventDefault();
        const body = new URLSearchParams(new FormData(form, event.submitter));
        bring(form.getAttribute("action"), body);
      } else {
        leaves = navigator.onLine; // page.js keeps the form where there is no network
      }
    },
    true,
  );

  // A page that a form brings takes the place of this one, whose script goes on: between two pages
  // the browser would lose what a scanner types.
  async function bring(address, body) {
    leaves = true;
    const answer = await fetch(address, { method: body ? "POST" : "GET", body, headers: { Accept: "text/html" } }).catch(() => null);
    document.getElementById("no-network").hidden = Boolean(answer);
    if (!answer) {
      setTimeout(bring, AGAIN_MS, address, body); // its key makes it harmless
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!page.querySelector(".desk-bar")) {
      location.assign(answer.url); // to log in
      return;
    }
    for (const id of ["masthead", "main"]) {
      document.getElementById(id).replaceWith(document.adoptNode(page.getElementById(id)));
    }
    document.title = page.title;
    if (answer.redirected || !body) {
      // The state says to htmx that it reloads the page when the reader comes back to it.
      history.replaceState({ htmx: true }, "");
      history.pushState({ htmx: true }, "", answer.url);
    }
    window.htmx?.process(document.body); // before it is loaded, it has this to do yet
    scrollTo(0, 0);
    leaves = false;
    scanned = 0;
    (document.querySelector("main [autofocus]") || document.getElementById("main")).focus();
    label();
    rest();
    const text = late;
    late = "";
    if (text) {
      put(text);
    }
  }

  async function send() {
    const form = stream();
    if (isSending || !scans.length || !form) {
      return;
    }
    isSending = true;
    const { code, key } = scans[0];
    const body = new URLSearchParams({ barcodes: code, key });
    for (const name of ["form", "branch", "card_number", "patron", "at"]) {
      if (form.elements[name]) {
        body.set(name, form.elements[name].value);
      }
    }
    let answer = null;
    let text = "";
    try {
      const headers = { "Carrel-Scan": "1", Accept: "text/html" };
      answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers });
      text = await answer.text();
    } catch {
      answer = null; // the key makes it harmless to send it again
    }
    isSending = false; // and nothing is awaited until this scan is no longer the first
    const isAway = !answer || answer.status === 503;
    document.getElementById("no-network").hidden = !isAway;
    if (isAway) {
      setTimeout(send, AGAIN_MS);
      return;
    }
    if (answer.redirected && answer.ok) {
      scans.shift();
      late = scans.splice(0).map((scan) => `${scan.code}\n`).join("") + form.elements.barcodes.value;
      bring(answer.url); // the card of the next reader, or the page to log in
      return;
    }
    const found = new DOMParser().parseFromString(text, "text/html");
    if (!answer.ok || !found.querySelector("tr[data-went]")) {
      const whole = new FormData(form); // with the list; the page says what is wrong
      whole.set("barcodes", code);
      whole.set("key", key);
      scans.shift();
      late = scans.splice(0).map((scan) => `${scan.code}\n`).join("") + form.elements.barcodes.value;
      bring(form.getAttribute("action"), new URLSearchParams(whole));
      return;
    }
    scans.shift();
    show(found);
    send();
  }

  function show(found) {
    const list = document.getElementById("lines");
    if (found.querySelector("[name=undo]")) {
      list.querySelector("[name=undo]")?.remove();
    }
    const rows = [...found.querySelectorAll("tr[data-went]")];
    list.tBodies[0].prepend(...rows);
    list.hidden = false;
    document.getElementById("attention").replaceWith(found.getElementById("attention"));
    const isBad = rows.some((row) => row.dataset.went === "problem");
    if (!isBad) {
      document.getElementById("announcer").textContent = rows.map((row) => row.innerText).join(" ");
    }
    sound(isBad);
  }

  // ---- sounds: high and short for good, low and twice for a problem ------------------------------

  let audio = null;

  function sound(isBad) {
    if (localStorage.getItem(MUTED)) {
      return;
    }
    audio = audio || new AudioContext();
    for (const [at, pitch] of isBad ? [[0, 196], [0.22, 196]] : [[0, 880]]) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.type = isBad ? "square" : "sine";
      tone.frequency.value = pitch;
      volume.gain.value = 0.15;
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + at);
      tone.stop(audio.currentTime + at + (isBad ? 0.18 : 0.09));
    }
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest?.("[data-sound]");
    if (button) {
      if (localStorage.getItem(MUTED)) {
        localStorage.removeItem(MUTED);
      } else {
        localStorage.setItem(MUTED, "1");
      }
      label();
      field().focus();
    }
  });

  function label() {
    const button = document.querySelector("[data-sound]");
    if (button) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(!localStorage.getItem(MUTED)));
    }
  }

  // ---- between pages -----------------------------------------------------------------------------

  // The next page sends the scans that wait.
  window.addEventListener("pagehide", function () {
    const waiting = scans.map((scan) => `${scan.code}\n`).join("");
    if (waiting || late) {
      sessionStorage.setItem(KEPT, waiting + late);
    }
  });

  document.addEventListener("DOMContentLoaded", function () {
    early = (sessionStorage.getItem(KEPT) || "") + early;
    sessionStorage.removeItem(KEPT);
    flush();
    early = "";
    label();
    rest();
    if (document.querySelector("[data-print]")) {
      window.print();
    }
  });
  document.addEventListener("htmx:afterSettle", rest);

  document.addEventListener("click", function (event) {
    if (event.target instanceof Element && event.target.closest("[data-prints]")) {
      window.print();
    }
  });

  // Where nothing else has the focus the next scan goes to the box, but on no phone, whose keyboard
  // would hide the page.
  function rest() {
    for (const button of document.querySelectorAll("[data-prints]")) {
      button.hidden = false;
    }
    const box = document.getElementById("find");
    const idle = [document.body, document.getElementById("main")].includes(document.activeElement);
    if (box && idle && !document.querySelector("main [autofocus]") && matchMedia("(pointer: fine)").matches) {
      box.focus({ preventScroll: true });
    }
  }
})();
