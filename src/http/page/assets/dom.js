// Elements made by calls, so that text is always text; and lists that keep their elements.

const SVG = 'http://www.w3.org/2000/svg';

function add(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element. */
export const h = (tag, attributes = {}, ...children) => add(document.createElement(tag), attributes, children);

/** An SVG element. */
export const s = (tag, attributes = {}, ...children) => add(document.createElementNS(SVG, tag), attributes, children);

/** Sets a text, and leaves the element alone where it is the same. */
export function say(node, text) {
  const wanted = text ?? '';
  if (node.textContent !== wanted) node.textContent = wanted;
}

/** Sets an attribute, or takes it away (null, false), where it differs. */
export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, String(value));
  }
}

/** Replaces what is in an element where `version` differs from the last one, and keeps the focus. */
const versions = new WeakMap();
export function fill(node, version, make) {
  const text = JSON.stringify(version);
  if (versions.get(node) === text) return;
  versions.set(node, text);
  node.replaceChildren(...[make()].flat(Infinity).filter((child) => child));
}

/**
 * Keeps the children of `parent` in line with `items`: what stays keeps its element, and the focus in it.
 * `make(item)` gives `{ node, update }`; `update(item)` is called each time.
 */
const kept = new WeakMap();
export function list(parent, items, key, make) {
  const before = kept.get(parent) ?? new Map();
  const after = new Map();
  const focused = document.activeElement;
  for (const item of items) {
    const id = key(item);
    const entry = before.get(id) ?? make(item);
    entry.update?.(item);
    after.set(id, entry);
  }
  for (const [id, entry] of before) if (!after.has(id)) entry.node.remove();
  let next = parent.firstChild;
  for (const { node } of after.values()) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
  kept.set(parent, after);
  // An element that is moved loses the focus.
  if (focused && focused !== document.activeElement && parent.contains(focused)) focused.focus({ preventScroll: true });
}

/** Names and values; `rows` are `[name, element]`. */
export const facts = (rows) =>
  h(
    'dl',
    { class: 'facts' },
    rows.map(([name, node]) => h('div', {}, h('dt', {}, name), h('dd', {}, node))),
  );

/** A sentence: a capital at its beginning, a full stop at its end. */
export function sentence(text) {
  if (!text) return '';
  const end = /[.!?]$/.test(text) ? '' : '.';
  // Names of adapters keep their case.
  const begin = /^(an?|the|nobody|nothing|no|another|by|it|both|who|somebody|two)\b/.test(text)
    ? text[0].toUpperCase() + text.slice(1)
    : text;
  return begin + end;
}
