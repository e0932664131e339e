// Enhances what works without it: keeps the focus where the reader is, and shows an account as it
// changes.
"use strict";

(function () {
  const AGAIN_MS = 15000;
  const QUIET_MS = 10000;
  const STOPPED_MS = 60000; // longer than any answer takes
  let source = null;
  let timer = 0;
  let quiet = 0;
  let has = "";
  let leaving = false;
  let stopped = 0;
  let sent = null; // the form that was sent last, with the button that was pressed

  // Shown until something arrives again; a form that could not be sent is still there, with its key.
  function connected(is) {
    document.getElementById("no-network").hidden = is;
  }

  // Offers to repeat a form while it is on the page: with its key it is executed once.
  function offer(is) {
    document.getElementById("not-sent").hidden = !(is && sent && sent.form.isConnected);
  }

  function account() {
    return document.querySelector("[data-live]");
  }

  // Said once, however often it changes within some seconds.
  function announce(text) {
    const announcer = document.getElementById("announcer");
    announcer.textContent = text;
    clearTimeout(quiet);
    quiet = setTimeout(function () {
      announcer.textContent = "";
    }, QUIET_MS);
  }

  function follow() {
    const shown = account();
    if (!shown || source || leaving || document.hidden) {
      return;
    }
    clearTimeout(timer);
    has = has || shown.dataset.has;
    source = new EventSource(shown.dataset.live + "?has=" + encodeURIComponent(has));
    source.addEventListener("account", function (event) {
      has = event.lastEventId;
      refresh();
    });
    source.addEventListener("end", function (event) {
      // The page is fetched with a renewed token, or redirects: then nothing stays on the screen.
      if (["token-expired", "session-ended"].includes(JSON.parse(event.data).reason)) {
        refresh();
      }
    });
    source.addEventListener("error", function () {
      if (source && source.readyState === EventSource.CLOSED) {
        leave();
        timer = setTimeout(follow, AGAIN_MS);
      }
    });
  }

  function leave() {
    if (source) {
      source.close();
      source = null;
    }
    clearTimeout(timer);
  }

  // The page as it is now, put in the place of what is shown: what was ticked stays ticked, and the
  // focus stays where it is.
  async function refresh() {
    const address = account()?.dataset.page;
    if (!address) {
      return;
    }
    let answer;
    try {
      answer = await fetch(address, {
        headers: { Accept: "text/html", "Carrel-Refresh": "1" },
        redirect: "manual", // the page to log in would be prepared twice, each with its own cookie
      });
    } catch {
      connected(false);
      return;
    }
    connected(true);
    if (leaving) {
      return;
    }
    if (answer.type === "opaqueredirect") {
      location.reload(); // logged out: in another window, on another device, or because the session is over
      return;
    }
    if (!answer.ok) {
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    const shown = account();
    // A form that is on its way has to be there when its answer comes, which brings the account along.
    if (!fresh || !shown || shown.querySelector(".htmx-request")) {
      return;
    }
    if (shown.dataset.page !== address) {
      refresh(); // meanwhile an answer came in another language, chosen in another window
      return;
    }
    if (fresh.textContent === shown.textContent) {
      return;
    }
    const held = shown.contains(document.activeElement) ? document.activeElement : null;
    for (const box of shown.querySelectorAll("input[type=checkbox][id]")) {
      const same = fresh.querySelector("#" + CSS.escape(box.id));
      if (same) {
        same.checked = box.checked;
      }
    }
    shown.replaceWith(fresh);
    htmx.process(fresh);
    document.dispatchEvent(new Event("account-shown"));
    if (held) {
      (document.getElementById(held.id) || document.getElementById("main")).focus({ preventScroll: true });
    }
    announce(fresh.dataset.changed);
  }

  // What a command brought has the focus (autofocus); without a word of it the content has it, for
  // the button that was pressed is gone.
  document.addEventListener("htmx:afterSettle", function () {
    if (document.activeElement === document.body) {
      document.getElementById("main").focus();
    }
    if (!account()) {
      leave();
    }
    follow();
  });
  document.addEventListener("htmx:sendError", function () {
    connected(false);
    offer(true);
  });
  document.addEventListener("htmx:beforeSwap", function () {
    connected(true);
    offer(false);
  });
  window.addEventListener("offline", function () {
    connected(false);
  });
  window.addEventListener("online", function () {
    connected(true);
    follow();
  });
  document.addEventListener("visibilitychange", function () {
    if (document.hidden) {
      leave();
    } else {
      follow();
    }
  });
  // A page that a browser kept whole may be of somebody who has logged out since.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) {
      location.reload();
    }
  });
  window.addEventListener("pagehide", leave);
  // A form that brings another page: a reload would cancel it. htmx prevents the others' default.
  // If this page is still here later, the reader has stopped it.
  document.addEventListener(
    "submit",
    function (event) {
      sent = { form: event.target, by: event.submitter };
      offer(false);
    },
    true
  );
  document.getElementById("send-again").addEventListener("click", function () {
    offer(false);
    sent.form.requestSubmit(sent.by);
  });
  document.addEventListener("click", function (event) {
    if (event.target.closest("[data-print-page]")) {
      window.print();
    }
  });
  document.getElementById("reload-page").addEventListener("click", () => location.reload());
  document.addEventListener("submit", function (event) {
    if (!event.defaultPrevented && !navigator.onLine) {
      event.preventDefault(); // the browser would show a page of its own instead of what was typed
      connected(false);
      offer(true);
    } else if (!event.defaultPrevented) {
      leaving = true;
      leave();
      clearTimeout(stopped);
      stopped = setTimeout(function () {
        leaving = false;
        follow();
      }, STOPPED_MS);
    }
  });

  // Titles under the search field while somebody types. Without an answer nothing is shown.
  const TYPED_MS = 250;
  let typing = 0;

  async function suggest(field) {
    const words = field.value.trim();
    let items = [];
    if (words.length > 1) {
      try {
        const answer = await fetch("/v1/titles/suggestions?q=" + encodeURIComponent(words.slice(0, 100)));
        items = answer.ok ? (await answer.json()).items : [];
      } catch {
        // The search itself says that there is no network.
      }
    }
    if (field.value.trim() !== words || !field.isConnected) {
      return; // meanwhile more was typed
    }
    field.form.querySelector(".suggestions")?.remove();
    if (!items.length) {
      return;
    }
    const list = document.createElement("ul");
    list.className = "suggestions";
    list.setAttribute("aria-label", field.dataset.suggest);
    for (const one of items) {
      const link = document.createElement("a");
      link.href = "/catalogue/" + encodeURIComponent(one.id);
      link.textContent = one.title;
      const authors = document.createElement("span");
      authors.className = "hint";
      authors.textContent = one.authors.join(" · ");
      link.append(" ", authors);
      list.append(document.createElement("li"));
      list.lastChild.append(link);
    }
    field.form.append(list);
    htmx.process(list);
    announce(field.dataset.suggest + ": " + items.length);
  }

  document.addEventListener("input", function (event) {
    if (event.target.dataset.suggest) {
      clearTimeout(typing);
      typing = setTimeout(suggest, TYPED_MS, event.target);
    }
  });
  document.addEventListener("keydown", function (event) {
    const list = document.querySelector(".suggestions");
    if (list && event.key === "Escape") {
      list.parentNode.querySelector("[data-suggest]").focus();
      list.remove();
    } else if (list && event.key === "ArrowDown" && event.target.dataset.suggest) {
      event.preventDefault();
      list.querySelector("a").focus();
    }
  });

  connected(navigator.onLine);
  follow();
})();
