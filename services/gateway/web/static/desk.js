// For scanners, which type a code and then Enter or Tab, at any moment and faster than a page loads.
// Without "defer": what is typed while the page loads is kept for its form.
"use strict";

(function () {
  const KEPT = "carrel-scanned";
  const FIELDS = "a, button, input, select, textarea, summary";
  let early = ""; // typed before the form was there
  let sent = null; // the barcodes of a form that is on its way
  let late = ""; // typed after it was sent, into no field

  function barcodes() {
    return document.querySelector(".scan > textarea");
  }

  // The field that the next code belongs to: the page's first empty one, else its list, else the
  // scan box.
  function field() {
    const first = document.querySelector(".scan > [autofocus]");
    return (first && first.value ? barcodes() || first : first) || document.getElementById("find");
  }

  // The next code begins in a field: in the list, on a line of its own.
  function begin(into) {
    if (into.tagName === "TEXTAREA" && into.value && !into.value.endsWith("\n")) {
      into.value += "\n";
    }
    into.focus();
    into.setSelectionRange(into.value.length, into.value.length);
    return into;
  }

  function put(text) {
    let into = begin(field());
    for (const line of text.match(/[^\n]+\n?|\n/g) || []) {
      const inList = into.tagName === "TEXTAREA";
      into.value += inList ? line : line.trim();
      if (line.endsWith("\n") && !inList) {
        if (!barcodes()) {
          into.form.requestSubmit();
          return;
        }
        into = begin(barcodes());
      }
    }
    into.setSelectionRange(into.value.length, into.value.length);
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
    if (sent !== null) {
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

  function inList(event, list) {
    const before = list.value.slice(0, list.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    if (event.key === "Enter" && !line && list.value.trim()) {
      event.preventDefault();
      list.form.requestSubmit();
    } else if (event.key === "Tab" && !event.shiftKey && line.trim()) {
      // A scanner may end each code with Tab. On an empty line Tab leaves the list as usual.
      event.preventDefault();
      list.setRangeText("\n", list.selectionStart, list.selectionEnd, "end");
    }
  }

  const FASTER = 50; // milliseconds between the keys of a scanner; nobody types a code so fast
  const SHORTEST = 5; // characters of a scanned code
  let scanned = 0; // characters of the scan box that came as from a scanner
  let last = 0;
  let pause = 0;

  // A scanner may end a code with Enter, which sends a form anyway, with Tab, or with nothing.
  function inBox(event, box) {
    clearTimeout(pause);
    const isFast = event.timeStamp - last < FASTER;
    last = event.timeStamp;
    if (types(event)) {
      scanned = isFast ? scanned + 1 : 1;
    }
    const whole = scanned >= SHORTEST && scanned >= box.value.length;
    if (event.key === "Tab" && isFast && whole) {
      event.preventDefault();
      box.form.requestSubmit();
    } else if (types(event) && scanned >= SHORTEST) {
      pause = setTimeout(() => scanned >= box.value.length && box.form.requestSubmit(), 4 * FASTER);
    }
  }

  document.addEventListener("keydown", function (event) {
    if (event.target.id === "find") {
      inBox(event, event.target);
      return;
    }
    const at = event.target instanceof Element ? event.target.closest(FIELDS) : null;
    const list = barcodes();
    if (!at || (sent !== null && at.type === "submit")) {
      outside(event);
    } else if (at === list) {
      inList(event, list);
    } else if (event.key === "Enter" && at.matches(".scan > input") && list && !list.value.trim()) {
      event.preventDefault();
      list.focus();
    }
  });

  // Sent again while it is on its way, a form has its first content: its key stands for that.
  document.addEventListener("submit", function (event) {
    const list = barcodes();
    if (event.defaultPrevented || !list || event.target !== list.form) {
      return;
    }
    if (sent !== null && list.value.startsWith(sent)) {
      late = list.value.slice(sent.length) + late;
      list.value = sent;
    }
    sent = list.value;
  });

  window.addEventListener("pagehide", function () {
    const list = barcodes();
    if (sent !== null && list) {
      const rest = list.value.startsWith(sent) ? list.value.slice(sent.length) : "";
      sessionStorage.setItem(KEPT, rest + late);
    }
  });

  document.addEventListener("DOMContentLoaded", function () {
    early = (sessionStorage.getItem(KEPT) || "") + early;
    sessionStorage.removeItem(KEPT);
    flush();
    early = "";
    rest();
  });
  document.addEventListener("htmx:afterSettle", rest);

  // Where nothing else has the focus the next scan goes to the box, but on no phone, whose keyboard
  // would hide the page.
  function rest() {
    const box = document.getElementById("find");
    const idle = [document.body, document.getElementById("main")].includes(document.activeElement);
    if (box && idle && !document.querySelector("main [autofocus]") && matchMedia("(pointer: fine)").matches) {
      box.focus({ preventScroll: true });
    }
  }
})();
