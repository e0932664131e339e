// Passkeys: log in with one, and add one, where the browser has WebAuthn.
"use strict";

(function () {
  const form = document.getElementById("passkey-form");
  const made = window.PublicKeyCredential;
  if (!form || !made || !made.parseRequestOptionsFromJSON || /^[\d.]+$|^\[/.test(location.hostname)) {
    return; // no browser has passkeys at an address in digits
  }
  const problem = document.getElementById("passkey-problem");
  const adds = "adds" in form.dataset;
  const renewed = 4 * 60 * 1000; // a challenge is valid for five minutes

  async function options() {
    const asked = adds
      ? { method: "POST", body: new URLSearchParams(new FormData(form)) }
      : {};
    const answer = await fetch(form.dataset.options, { ...asked, headers: { Accept: "application/json" } });
    const found = await answer.json();
    if (!answer.ok) {
      throw Object.assign(new Error(), { said: found.problem });
    }
    return found;
  }

  async function credential(more) {
    window.passkeyAsked?.abort(); // a page before this one may still ask
    const asked = (window.passkeyAsked = new AbortController());
    const found = await options();
    if (asked.signal.aborted) {
      throw asked.signal.reason;
    }
    const signal = asked.signal;
    return adds
      ? navigator.credentials.create({ publicKey: made.parseCreationOptionsFromJSON(found), signal })
      : navigator.credentials.get({ publicKey: made.parseRequestOptionsFromJSON(found), signal, ...more });
  }

  function send(found) {
    if (form.isConnected) {
      form.elements.credential.value = JSON.stringify(found);
      form.submit();
    }
  }

  async function ask(event) {
    event.preventDefault();
    problem.textContent = "";
    try {
      send(await credential({}));
    } catch (error) {
      problem.textContent = error.said || (error.name === "InvalidStateError" ? form.dataset.exists : form.dataset.failed);
      problem.focus();
    }
  }

  // The browser offers passkeys among what it fills into the field of the card.
  async function offer() {
    const again = setTimeout(offer, renewed);
    try {
      if (form.isConnected) {
        send(await credential({ mediation: "conditional" }));
      }
      clearTimeout(again);
    } catch {
      // The button asked meanwhile, or the browser has none to offer.
    }
  }

  form.hidden = false;
  document.getElementById("no-passkeys")?.remove();
  form.addEventListener("submit", ask);
  if (!adds && made.isConditionalMediationAvailable) {
    document.getElementById("card_number").autocomplete = form.dataset.fills;
    made.isConditionalMediationAvailable().then((has) => has && offer());
  }
})();
