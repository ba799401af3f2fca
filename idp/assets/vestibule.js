// Comfort for browsers that run scripts. Every page works without it.
(() => {
  'use strict';

  // A password can be seen while it is typed. It is sent as a password again, so that no browser remembers it as a text.
  const addShowButton = (field) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'show';
    button.setAttribute('aria-controls', field.id);
    const set = (shown) => {
      field.type = shown ? 'text' : 'password';
      button.textContent = shown ? field.dataset.hide : field.dataset.show;
      button.setAttribute('aria-label', shown ? field.dataset.hideLabel : field.dataset.showLabel);
    };
    button.addEventListener('click', () => set(field.type === 'password'));
    field.form.addEventListener('submit', () => set(false));
    set(false);
    field.after(button);
  };

  // The address as it was typed is there again after a change of language. It is kept in this tab alone, until the next page.
  const keepAddress = (email) => {
    const key = 'vestibule-address';
    try {
      const kept = sessionStorage.getItem(key);
      sessionStorage.removeItem(key);
      if (kept !== null && email) email.value = kept;
      if (!email) return;
      for (const link of document.querySelectorAll('a[hreflang]')) {
        link.addEventListener('click', () => sessionStorage.setItem(key, email.value));
      }
    } catch {
      // The browser keeps nothing for us: the address is typed again.
    }
  };

  // The second press of a double click sends nothing. After a second every press sends again, so that no form is ever locked.
  const ignoreDoubleClick = (form) => {
    let last = { button: null, at: -Infinity };
    form.addEventListener('submit', (event) => {
      const { submitter, timeStamp } = event;
      if (submitter === last.button && timeStamp - last.at < 1000) {
        event.preventDefault();
        return;
      }
      last = { button: submitter, at: timeStamp };
    });
  };

  document.querySelectorAll('input[data-show]').forEach(addShowButton);
  keepAddress(document.getElementById('email'));
  document.querySelectorAll('form').forEach(ignoreDoubleClick);
})();
