// Enhances what works without it: tells a screen reader what came of a form, and keeps the focus.
"use strict";

(function () {
  const announcer = document.getElementById("announcer");

  // What a command brought is read out, and the focus goes to it: the button that was pressed is gone.
  function tell() {
    const said = document.getElementById("said");
    if (!said) {
      return;
    }
    announcer.textContent = said.textContent.trim();
    said.focus();
  }

  document.addEventListener("htmx:afterSettle", tell);
  tell();
})();
