// For scanners: Enter on an empty line of a list of barcodes sends the form.
"use strict";

document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (event.key !== "Enter" || field.id !== "barcodes" || !field.value.trim()) {
    return;
  }
  const before = field.value.slice(0, field.selectionStart);
  if (before === "" || before.endsWith("\n")) {
    event.preventDefault();
    field.form.requestSubmit();
  }
});
