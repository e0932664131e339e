// "Notify this device" in My Setting, where the browser can show notifications.
"use strict";

(function () {
  const form = document.getElementById("this-device");
  if (!form || !("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) {
    return;
  }
  const problem = document.getElementById("push-problem");

  function bytes(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, function (one) {
      return one.charCodeAt(0);
    });
  }

  async function subscribe() {
    await navigator.serviceWorker.register(form.dataset.worker, { scope: "/" });
    const worker = await navigator.serviceWorker.ready;
    const options = { userVisibleOnly: true, applicationServerKey: bytes(form.dataset.key) };
    return (await worker.pushManager.subscribe(options)).toJSON();
  }

  async function add() {
    problem.textContent = "";
    if ((await Notification.requestPermission()) !== "granted") {
      problem.textContent = form.dataset.denied;
      return;
    }
    try {
      const subscription = await subscribe();
      form.elements.endpoint.value = subscription.endpoint;
      form.elements.p256dh.value = subscription.keys.p256dh;
      form.elements.auth.value = subscription.keys.auth;
    } catch {
      problem.textContent = form.dataset.failed;
      return;
    }
    form.submit();
  }

  form.hidden = false;
  document.getElementById("notify-device").addEventListener("click", add);
})();
