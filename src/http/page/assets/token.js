// A token of an OpenID provider, in the place of a name and a password. Whoever looks pastes it; it is held in the memory
// of this page alone, and gone when the page is loaded again.

import { h, mark, say } from './dom.js';

const button = document.getElementById('token');

let token = null;
let choosing = false;
let changed = () => {};

/** How a request is sent. With a token the browser adds no login of its own, and asks for none. */
export const login = ({ headers, ...options }) =>
  token === null
    ? { headers, ...options }
    : { credentials: 'omit', headers: { ...headers, authorization: `Bearer ${token}` }, ...options };

/** Whether requests are sent with a token. */
export const byToken = () => token !== null;

/** Whether whoever looks is about to give one. */
export const isChoosing = () => choosing;

/** The server takes tokens: whoever looks may give one. */
export const offer = () => mark(button, 'hidden', false);

/** `again()` is called whenever another login counts. */
export const onLogin = (again) => (changed = again);

function use(given) {
  token = given;
  say(button, token === null ? 'Log in with a token' : 'Change the token');
  changed();
}

button.addEventListener('click', () => {
  const failed = h('p', { class: 'failed', id: 'token-failed', role: 'alert' });
  const field = h('input', {
    id: 'token-text',
    class: 'masked',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    'aria-describedby': 'token-hint token-failed',
  });
  const close = () => dialog.close();
  const closed = () => (dialog.remove(), (choosing = false));
  const forget = () => (close(), use(null));
  const dialog = h(
    'dialog',
    { 'aria-labelledby': 'token-title', onclose: closed },
    h(
      'form',
      { method: 'dialog', onsubmit: submit },
      h('h2', { id: 'token-title' }, 'Log in with a token'),
      h('div', { class: 'fields' }, h('label', { for: 'token-text' }, 'Access token'), field),
      h(
        'p',
        { class: 'hint', id: 'token-hint' },
        'Of the OpenID provider that this server trusts. It stays in the memory of this page, and is gone when the page is loaded again.',
      ),
      failed,
      h(
        'div',
        { class: 'buttons' },
        h('button', { type: 'button', onclick: close }, 'Cancel'),
        token !== null && h('button', { type: 'button', onclick: forget }, 'Forget the token'),
        h('button', { type: 'submit', class: 'yes' }, 'Log in'),
      ),
    ),
  );

  function submit(event) {
    event.preventDefault();
    const given = field.value.trim().replace(/^Bearer +/i, '');
    if (!/^[\w~+/.=-]+$/.test(given)) {
      say(failed, 'This is no token: one has letters, digits and the signs - . _ ~ + / = alone.');
      return;
    }
    close();
    use(given);
  }

  document.body.append(dialog);
  dialog.showModal();
  choosing = true;
});
