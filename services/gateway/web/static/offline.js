// Keeps scans while there is no network, each encrypted for the library; and sends them later.
"use strict";

(function () {
  const scanning = document.getElementById("scanning");
  const settling = document.getElementById("settling");
  if (scanning) {
    scan(scanning);
  }
  if (settling) {
    settle(settling);
  }

  // ---- the page without a network ---------------------------------------------------------------

  async function scan(form) {
    const PURPOSE = "carrel-offline-scan"; // the same as in sealed.py
    const CODE = /^[A-Za-z0-9-]{1,40}$/;
    const { FASTER, SHORTEST } = window.scanner;
    const ASK_MS = 15000;
    const DAY_MS = 86400000; // reservations that this browser knows are not those of today
    const card = document.getElementById("card");
    const barcode = document.getElementById("barcode");
    const answers = document.getElementById("answers").content;
    const list = document.getElementById("scans");
    const taken = { lend: new Set(), return: new Set() };
    let insisted = ""; // the barcode that was refused last: scanned again, it is kept
    let act = "lend";
    let scans = 0; // of this reader
    let work = Promise.resolve();
    let last = 0;
    let fast = 0;

    const facts = window.crypto.subtle && (await window.deskQueue.facts().catch(() => null));
    document.getElementById("unready").hidden = Boolean(facts);
    document.getElementById("ready").hidden = !facts;
    if (!facts) {
      return;
    }
    const awaited = new Set(facts.waiting);
    const reserved = new Set(facts.kept);
    document.getElementById("library").textContent = facts.name;
    document.getElementById("partly").hidden = facts.complete && Date.now() - facts.at < DAY_MS;

    const text = (words) => new TextEncoder().encode(words);

    async function sealed(id, said) {
      const subtle = window.crypto.subtle;
      const curve = { name: "ECDH", namedCurve: "P-256" };
      const theirs = Uint8Array.from(atob(facts.key), (one) => one.charCodeAt(0));
      const library = await subtle.importKey("raw", theirs, curve, false, []);
      const own = await subtle.generateKey(curve, false, ["deriveBits"]);
      const point = new Uint8Array(await subtle.exportKey("raw", own.publicKey));
      const bits = await subtle.deriveBits({ name: "ECDH", public: library }, own.privateKey, 256);
      const common = await subtle.importKey("raw", bits, "HKDF", false, ["deriveKey"]);
      const derived = { name: "HKDF", hash: "SHA-256", salt: point, info: text(PURPOSE) };
      const kind = { name: "AES-GCM", length: 256 };
      const key = await subtle.deriveKey(derived, common, kind, false, ["encrypt"]);
      const nonce = window.crypto.getRandomValues(new Uint8Array(12));
      const way = { name: "AES-GCM", iv: nonce, additionalData: text(id) };
      const box = await subtle.encrypt(way, key, text(JSON.stringify(said)));
      return btoa(String.fromCharCode(...point, ...nonce, ...new Uint8Array(box)));
    }

    async function keep(code, from) {
      const id = window.crypto.randomUUID();
      const at = new Date(from.at + facts.ahead).toISOString(); // by the library's clock
      const said = { act: from.act, at, branch: facts.branch, barcode: code, card: from.card };
      return window.deskQueue.add({ id, sealed: await sealed(id, said) });
    }

    // The name of the answer to a code, and whether it is kept.
    function judged(code, from) {
      if (!CODE.test(code)) {
        return ["no-barcode", false];
      }
      if (from.taken.has(code)) {
        return ["twice", false];
      }
      if (from.act === "return") {
        return [awaited.has(code) ? "put-aside" : reserved.has(code) ? "to-shelf" : "returned", true];
      }
      const doubt = awaited.has(code) ? "awaited" : reserved.has(code) ? "reserved"
        : code === from.card ? "is-card" : from.taken.size >= facts.limit ? "limit" : "";
      return doubt && insisted !== code ? [doubt, false] : ["lent", true];
    }

    // Scans wait for each other, and by then the next reader may be there: `from` is what was so.
    async function take(code, from) {
      let [name, isKept] = judged(code, from);
      insisted = isKept ? "" : code;
      let place = null;
      if (isKept) {
        try {
          place = await keep(code, from);
          from.taken.add(code);
          taken[from.act === "lend" ? "return" : "lend"].delete(code);
        } catch {
          name = "failed";
        }
      }
      show(code, name, place, from);
    }

    function show(code, name, place, from) {
      const row = answers.querySelector("[data-row]").cloneNode(true);
      const answer = answers.querySelector("[data-answer=" + name + "]").cloneNode(true);
      row.querySelector("[data-code]").textContent = code;
      row.querySelector("[data-act=" + from.act + "]").hidden = false;
      row.querySelector("[data-said]").append(answer);
      row.classList.toggle("needs-work", answer.hasAttribute("data-work"));
      const back = row.querySelector("button");
      back.hidden = place === null;
      back.addEventListener("click", async function () {
        await window.deskQueue.remove(place);
        from.taken.delete(code);
        row.remove();
        field().focus();
      });
      list.prepend(row);
    }

    function field() {
      return act === "lend" && !card.value ? card : barcode;
    }

    function ready() {
      barcode.value = "";
      field().focus();
    }

    function nextReader() {
      card.value = "";
      taken.lend = new Set();
      scans = 0;
      insisted = "";
      ready();
    }

    function choose(wanted) {
      act = wanted;
      for (const button of document.querySelectorAll("[data-choose]")) {
        button.setAttribute("aria-pressed", String(button.dataset.choose === act));
      }
      document.getElementById("of-lend").hidden = act !== "lend";
      nextReader();
    }

    form.addEventListener("submit", function (event) {
      event.preventDefault();
      window.scanner.goesOn();
      fast = 0;
      card.value = card.value.trim();
      const code = barcode.value.trim();
      if (field() === card || (act === "return" && !code)) {
        field().focus();
      } else if (code) {
        const own = act === "lend" ? card.value : "";
        const from = { act, card: own, at: Date.now(), taken: taken[act] };
        work = work.then(() => take(code, from));
        scans += 1;
        ready();
      } else if (document.activeElement === barcode && scans) {
        nextReader();
      } else {
        barcode.focus();
      }
    });
    // A scanner ends a code with Enter, which sends a form, with Tab, or with nothing.
    form.addEventListener("keydown", function (event) {
      const box = event.target;
      if (box !== card && box !== barcode) {
        return;
      }
      window.scanner.goesOn();
      const types = event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey;
      const isFast = event.timeStamp - last < FASTER;
      last = event.timeStamp;
      fast = types ? (isFast ? fast + 1 : 1) : event.key === "Tab" && isFast ? fast : 0;
      if (event.key === "Tab" && fast >= SHORTEST) {
        event.preventDefault();
        form.requestSubmit();
      } else if (fast >= SHORTEST) {
        window.scanner.whenDone(() => form.requestSubmit());
      }
    });
    // A code that is scanned while nothing has the focus belongs to the field that waits for one.
    document.addEventListener("keydown", function (event) {
      if (document.activeElement === document.body && event.key.length === 1) {
        field().focus();
      }
    });
    document.getElementById("next-reader").addEventListener("click", nextReader);
    for (const button of document.querySelectorAll("[data-choose]")) {
      button.addEventListener("click", () => choose(button.dataset.choose));
    }

    async function ask() {
      const asked = navigator.onLine && fetch("/desk/offline/manifest", { cache: "no-store" });
      const answer = asked && (await asked.catch(() => null));
      document.getElementById("cut").hidden = Boolean(answer && answer.ok);
      document.getElementById("back").hidden = !(answer && answer.ok);
    }
    setInterval(ask, ASK_MS);
    window.addEventListener("online", ask);
    window.addEventListener("offline", ask);
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
    ask();
    choose(location.pathname.startsWith("/desk/returns") ? "return" : "lend");
  }

  // ---- the page that sends them -----------------------------------------------------------------

  async function settle(form) {
    const AT_ONCE = 10; // as many as the library settles in one request
    const outcomes = document.getElementById("outcomes");
    const unsent = document.getElementById("unsent");
    const button = form.querySelector("button");

    async function shown() {
      const waits = (await window.deskQueue.all()).length > 0;
      form.hidden = !waits;
      document.getElementById("nothing-kept").hidden = waits;
    }

    // Whether all of these were answered for good.
    async function sent(some) {
      const body = new URLSearchParams(new FormData(form));
      body.set("entries", JSON.stringify(some.map(({ id, sealed }) => ({ id, sealed }))));
      const headers = { Accept: "text/html", "Carrel-Refresh": "1" };
      const answer = await fetch(form.action, { method: "POST", body, headers, redirect: "manual" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const rows = [...page.querySelectorAll("[data-entry]")];
      if (answer.status < 500 && !rows.length) {
        location.reload(); // to log in again: the queue waits
        return false;
      }
      for (const row of rows) {
        const entry = some.find((one) => one.id === row.dataset.entry);
        outcomes.append(row);
        if (["done", "conflict"].includes(row.dataset.state)) {
          await window.deskQueue.remove(entry.place);
        }
        row.querySelector("[data-remove]")?.addEventListener("click", async function () {
          await window.deskQueue.remove(entry.place);
          row.remove();
          outcomes.focus();
        });
      }
      return rows.length > 0 && !rows.some((row) => row.dataset.state === "later");
    }

    async function sendAll() {
      button.disabled = true;
      unsent.hidden = true;
      outcomes.replaceChildren();
      outcomes.focus();
      const rest = await window.deskQueue.all();
      let goesOn = true;
      while (goesOn && rest.length) {
        goesOn = await sent(rest.splice(0, AT_ONCE)).catch(() => false);
      }
      unsent.hidden = goesOn;
      button.disabled = false;
    }

    document.addEventListener("desk-queue", shown);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      sendAll();
    });
    await shown();
    if (location.hash === "#send" && !form.hidden) {
      history.replaceState(null, "", location.pathname);
      sendAll();
    }
  }
})();
