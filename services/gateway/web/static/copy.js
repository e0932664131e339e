// The kept account: tries again, and says when the network is back.
"use strict";

(function () {
  const back = document.getElementById("back");
  document.getElementById("again").addEventListener("click", () => location.reload());
  window.addEventListener("online", () => (back.hidden = false));
  window.addEventListener("offline", () => (back.hidden = true));
})();
