// Sorts the list of libraries by the distance from where the reader is. The position stays here.
"use strict";

(function () {
  const button = document.getElementById("nearest");
  if (!button || !navigator.geolocation) {
    return;
  }
  button.hidden = document.getElementById("of-nearest").hidden = false;

  function km(row, here) {
    if (!row.dataset.at) {
      return Infinity;
    }
    const [north, east] = row.dataset.at.split(" ").map(Number);
    const narrow = Math.cos((north * Math.PI) / 180);
    return 111.2 * Math.hypot(north - here.latitude, (east - here.longitude) * narrow);
  }

  function sort({ coords }) {
    const list = document.getElementById("libraries").tBodies[0];
    const rows = [...list.rows].map((row) => ({ row, far: km(row, coords) }));
    rows.sort((one, other) => one.far - other.far);
    document.querySelector(".city")?.remove(); // it has the numbers of the other order
    for (const { row, far } of rows) {
      row.querySelector("[data-number]")?.remove();
      row.querySelector("[data-far]")?.remove();
      if (far < Infinity) {
        const note = document.createElement("p");
        note.className = "note";
        note.dataset.far = "";
        note.textContent = button.dataset.km.replace("{}", far.toFixed(1));
        row.cells[0].append(note);
      }
      list.append(row);
    }
    list.rows[0].querySelector("a").focus();
  }

  button.addEventListener("click", function () {
    const failed = document.getElementById("no-position");
    failed.hidden = true;
    navigator.geolocation.getCurrentPosition(sort, () => (failed.hidden = false), { timeout: 10000 });
  });
})();
