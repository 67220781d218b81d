// Building DOM nodes, with less to write. Text is always text: nothing on this page parses strings into HTML.

/**
 * Make an element.
 * @param {string} name its tag, with classes after dots: "p.muted.small"
 * @param {Object<string, *>} [properties] attributes; functions are listeners ("onclick"), true is an attribute without
 *   a value, false and null are left out
 * @param {...(Node|string|null|undefined)} children
 * @returns {HTMLElement}
 */
export function element(name, properties = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(key.replace(/^on/, ""), value);
    else if (value !== false && value != null) made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/**
 * Make an element of a picture.
 * @param {string} tag
 * @param {Object<string, string|number>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

/** Find an element of the page by its id. @param {string} id @returns {HTMLElement} */
export const byId = (id) => document.getElementById(id);

/**
 * Make a button.
 * @param {string} label
 * @param {function(Event): void} onclick
 * @param {string} [kind] a class
 */
export const button = (label, onclick, kind = "") =>
  element(kind ? `button.${kind}` : "button", { type: "button", onclick }, label);

/** Make a link that opens in a tab of its own. @param {string} href @param {...(Node|string)} children */
export const outLink = (href, ...children) =>
  element("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);

/**
 * Make a button that copies a text, and says so.
 * @param {string} label
 * @param {function(): string} text
 * @param {string} [kind] a class
 */
export function copyButton(label, text, kind = "quiet") {
  const made = button(label, () => copy(text(), made), kind);
  return made;
}

/** Copy a text, and show on the button for a moment that it was. @param {string} text @param {HTMLElement} pressed */
export async function copy(text, pressed) {
  const label = (pressed.dataset.label ??= pressed.textContent);
  pressed.textContent = (await written(text)) ? "Copied" : "Press Ctrl+C";
  clearTimeout(Number(pressed.dataset.timer));
  pressed.dataset.timer = String(setTimeout(() => (pressed.textContent = label), 1600));
}

/** The clipboard's own interface is missing on plain http and in frames; selecting the text works there too. */
async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea.unseen", { readonly: true, "aria-hidden": "true" });
    const before = document.activeElement;
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus();
    return done;
  }
}
