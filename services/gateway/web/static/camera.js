// The camera of a phone reads barcodes into the field of the next scan, where the browser can.
// No picture leaves the browser.
"use strict";

(function () {
  const FORMATS = ["code_128", "code_39", "codabar", "ean_13", "ean_8", "itf", "qr_code"];
  const EVERY_MS = 150;
  const SAME_MS = 2500; // in which the same code before the camera is the same item
  let video = null;
  let last = "";
  let seenAt = 0;

  if (!("BarcodeDetector" in window) || !navigator.mediaDevices?.getUserMedia) {
    return;
  }
  document.documentElement.classList.add("has-camera"); // the button is in a part that is replaced

  document.addEventListener("click", function (event) {
    if (event.target instanceof Element && event.target.closest("[data-camera]")) {
      video ? stop() : start();
    }
  });
  window.addEventListener("pagehide", stop);

  async function start() {
    video = document.createElement("video");
    video.className = "camera";
    video.muted = video.playsInline = true;
    document.body.append(video);
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      await video.play();
    } catch {
      stop(); // no camera, or it is not allowed
      return;
    }
    look(new BarcodeDetector({ formats: FORMATS }));
  }

  function stop() {
    for (const track of video?.srcObject?.getTracks() || []) {
      track.stop();
    }
    video?.remove();
    video = null;
  }

  async function look(detector) {
    while (video) {
      let found = [];
      try {
        found = await detector.detect(video);
      } catch {
        // The first pictures may not be there yet.
      }
      if (video && found.length) {
        read(found[0].rawValue);
      }
      await new Promise((done) => setTimeout(done, EVERY_MS));
    }
  }

  function read(code) {
    const isSame = code === last && performance.now() - seenAt < SAME_MS;
    last = code;
    seenAt = performance.now();
    const field = document.querySelector("form.scan [data-scan]") || document.getElementById("find");
    if (!isSame && field) {
      field.value = code;
      field.form.requestSubmit();
      navigator.vibrate?.(60);
    }
  }
})();
