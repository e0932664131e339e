// Enhances what works without it: tells a screen reader what came of a form, keeps the focus, and
// shows an account as it changes.
"use strict";

(function () {
  const announcer = document.getElementById("announcer");

  // What a command brought is read out, and has the focus: the button that was pressed is gone.
  function tell() {
    const said = document.getElementById("said");
    if (said) {
      announcer.textContent = said.textContent.trim();
      said.focus();
    }
  }

  // ---- the account as it changes ----

  const AGAIN_MS = 15000;
  let source = null;
  let timer = 0;
  let has = "";

  function account() {
    return document.querySelector("[data-live]");
  }

  function follow() {
    const shown = account();
    if (!shown || source || document.hidden) {
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
      if (JSON.parse(event.data).reason === "token-expired") {
        location.reload(); // nobody is logged in any more, so nothing stays on the screen
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
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) {
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    const shown = account();
    // A form that is on its way has to be there when its answer comes, which brings the account along.
    if (!fresh || !shown || shown.querySelector(".htmx-request")) {
      return;
    }
    if (fresh.textContent === shown.textContent) {
      return;
    }
    const focused = shown.contains(document.activeElement) ? document.activeElement.id : "";
    for (const box of shown.querySelectorAll("input[type=checkbox][id]")) {
      const same = fresh.querySelector("#" + CSS.escape(box.id));
      if (same) {
        same.checked = box.checked;
      }
    }
    shown.replaceWith(fresh);
    htmx.process(fresh);
    if (focused) {
      (document.getElementById(focused) || document.getElementById("main")).focus();
    }
    announcer.textContent = fresh.dataset.changed;
  }

  document.addEventListener("htmx:afterSettle", function () {
    tell();
    if (!account()) {
      leave();
    }
    follow();
  });
  document.addEventListener("visibilitychange", function () {
    if (document.hidden) {
      leave();
    } else {
      follow();
    }
  });
  window.addEventListener("pagehide", leave);
  tell();
  follow();
})();
