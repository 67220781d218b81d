// The keyboard: one table of what each key does, shown under `?`. Single keys work outside of fields, and can be
// switched off; none takes a key from the browser.

import { button, byId, element } from "./dom.js";
import { recall, remember } from "./memory.js";

const OFF = "openenv.keys-off";

/**
 * @param {Array<{keys: string[], says: string, run: function(): void}>} shortcuts
 *   a key with "Ctrl+" before it works in fields, too, and with the Command key
 * @returns {{bind: function(HTMLElement): void}}
 */
export function createKeyboard(shortcuts) {
  const dialog = byId("shortcuts");
  const open = () => dialog.open || dialog.showModal();

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
    const isChord = event.ctrlKey || event.metaKey;
    if (!isChord && (recall(OFF) || isField(event.target))) return;
    const name = isChord ? `Ctrl+${event.key}` : event.key;
    const found = shortcuts.find(({ keys }) => keys.includes(name));
    if (!found) return;
    event.preventDefault();
    found.run();
  });

  const box = element("input", { type: "checkbox", id: "single-keys", checked: !recall(OFF) });
  box.addEventListener("change", () => remember(OFF, box.checked ? null : "1"));
  dialog.append(
    element(
      "div.row-between",
      {},
      element("h2", { id: "shortcuts-title" }, "Keyboard"),
      button("Close", () => dialog.close(), "quiet"),
    ),
    element(
      "dl.keys",
      {},
      ...shortcuts.map(line),
      line({ keys: ["Enter"], says: "Step, from a field of the action" }),
    ),
    element("label.check", { for: "single-keys" }, box, " Single keys work (outside of fields)"),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return {
    /** Let this button open the list. @param {HTMLElement} opener */
    bind: (opener) => opener.addEventListener("click", open),
  };
}

function line({ keys, says }) {
  const shown = keys.flatMap((key, place) => [
    ...(place ? [" or "] : []),
    ...key.split("+").flatMap((part, at) => [...(at ? ["+"] : []), element("kbd", {}, NAMES[part] ?? part)]),
  ]);
  return element("div", {}, element("dt", {}, ...shown), element("dd", {}, says));
}

const NAMES = { ArrowLeft: "←", ArrowRight: "→" };

/** Whether keys pressed here are written, or are the element's own. */
function isField(target) {
  return (
    target instanceof Element &&
    target.closest("input:not([type=checkbox]), textarea, select, [contenteditable], [role=tablist], iframe") !== null
  );
}
