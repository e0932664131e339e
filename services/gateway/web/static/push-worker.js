// Shows the messages that the library sends to this device, and opens the page that they name.
"use strict";

self.addEventListener("push", function (event) {
  const message = event.data.json();
  event.waitUntil(
    self.registration.showNotification(message.title, {
      body: message.text,
      lang: message.language,
      tag: message.tag, // a repeated message takes the place of the first
      data: { url: message.url },
    })
  );
});

self.addEventListener("notificationclick", function (event) {
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.notification.data.url));
});
