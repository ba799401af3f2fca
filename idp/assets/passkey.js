// Passkeys (WebAuthn Level 3). The options of a ceremony are in the page before anything is pressed.
(() => {
  'use strict';

  const form = document.querySelector('form[data-passkey]');
  if (!form || !window.PublicKeyCredential || !navigator.credentials) return;

  // A ceremony can be answered for five minutes.
  const RENEW_AFTER = 4 * 60 * 1000;

  const toBytes = (text) => {
    const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
    return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
  };
  const toText = (buffer) => {
    const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
    return btoa(plain).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  };

  const isRegistration = form.dataset.passkey === 'create';
  const button = document.querySelector('button[data-start]');
  const problem = document.querySelector('[data-problem]');
  let present = {
    options: JSON.parse(form.dataset.options),
    ceremony: form.elements.ceremony.value,
    begunAt: Date.now(),
  };
  // The offer in the list of the address field, while it is open.
  let offer = null;
  let isBusy = false;

  const publicKey = ({ options }) => {
    const descriptors = (all) => (all ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));
    const own = { ...options, challenge: toBytes(options.challenge) };
    if (!isRegistration) return { ...own, allowCredentials: descriptors(options.allowCredentials) };
    const user = { ...options.user, id: toBytes(options.user.id) };
    return { ...own, user, excludeCredentials: descriptors(options.excludeCredentials) };
  };

  const answer = ({ id, rawId, type, response }) => {
    const texts = {};
    for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
      if (response[name]) texts[name] = toText(response[name]);
    }
    if (!isRegistration && !texts.userHandle) texts.userHandle = null;
    return JSON.stringify({ id, rawId: toText(rawId), type, response: texts, extensions: {} });
  };

  // The page is left now: nothing else begins on it.
  const send = (credential, { ceremony }) => {
    isBusy = true;
    form.elements.ceremony.value = ceremony;
    form.elements.answer.value = answer(credential);
    form.elements.action.value = 'continue';
    form.submit();
  };

  const say = (text) => {
    problem.textContent = text ?? '';
    problem.hidden = !text;
  };

  // Asks an authenticator, and posts its answer with the ceremony that was answered, whichever is present by then.
  const ask = async (more) => {
    const asked = present;
    const request = { publicKey: publicKey(asked), ...more };
    const { credentials } = navigator;
    send(await (isRegistration ? credentials.create(request) : credentials.get(request)), asked);
  };

  // Two ceremonies cannot run at once: the offer is ended, and its end awaited, before another begins.
  const endOffer = async () => {
    const open = offer;
    offer = null;
    open?.controller.abort();
    await open?.ended;
  };

  const beginOffer = async () => {
    if (form.dataset.passkey !== 'sign-in' || isBusy || offer) return;
    if (!(await PublicKeyCredential.isConditionalMediationAvailable?.()) || isBusy || offer) return;
    const controller = new AbortController();
    // Whatever ends it without an answer is no news: the person has done nothing.
    const ended = ask({ mediation: 'conditional', signal: controller.signal }).catch(() => {});
    offer = { controller, ended };
  };

  const renew = async () => {
    const isOld = Date.now() - present.begunAt >= RENEW_AFTER;
    if (!form.dataset.renew || isBusy || document.hidden || !isOld) return;
    try {
      const fresh = await fetch(form.dataset.renew, { headers: { Accept: 'application/json' } });
      if (!fresh.ok) return;
      const next = await fresh.json();
      if (isBusy) return;
      present = { ...next, begunAt: Date.now() };
    } catch {
      return; // It is tried again at the next tick.
    }
    await endOffer();
    await beginOffer();
  };

  const start = async () => {
    if (isBusy) return;
    isBusy = true;
    say();
    // What a device makes for a ceremony that is over would be of no use, and stay there.
    if (isRegistration && Date.now() - present.begunAt >= RENEW_AFTER) {
      location.reload();
      return;
    }
    await endOffer();
    try {
      await ask({});
    } catch (error) {
      say(error.name === 'InvalidStateError' ? form.dataset.known : form.dataset.failed);
      isBusy = false;
      await beginOffer();
    }
  };

  for (const text of document.querySelectorAll('[data-without]')) text.hidden = true;
  form.hidden = false;
  button.hidden = false;
  button.addEventListener('click', start);
  beginOffer();
  setInterval(renew, 15 * 1000);
  document.addEventListener('visibilitychange', renew);
  // Back from the next page: this one may be used again.
  window.addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    isBusy = false;
    beginOffer();
  });
})();
