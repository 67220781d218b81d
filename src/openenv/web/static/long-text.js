// A text of any length. A long one shows its head; all of it is laid out in pieces, and only those that are in sight.

import { button, element } from "./dom.js";
import { counted } from "./format.js";
import { appendVisible } from "./hidden.js";

const HEAD = 2000;
const PIECE = 20000;

/**
 * Show a text.
 * @param {string} text
 * @returns {HTMLElement}
 */
export function viewText(text) {
  const body = element("span.text", { dir: "auto" });
  if (text.length <= HEAD) {
    appendVisible(body, text);
    return body;
  }
  const end = splitAt(text, HEAD);
  appendVisible(body, text.slice(0, end));
  const note = element("span.muted", {}, ` … ${counted(text.length.toLocaleString("en"), "character")} in all `);
  const all = button("Show all", () => whole.replaceChildren(allOf(text)), "quiet");
  const whole = element("span.text-long", {}, body, note, all);
  return whole;
}

function allOf(text) {
  const says = { role: "region", "aria-label": "The whole text" };
  const box = element("div.text.text-all", { ...says, tabindex: "0", dir: "auto" });
  for (let start = 0, end; start < text.length; start = end) {
    end = splitAt(text, start + PIECE);
    const piece = element("div.text-piece");
    appendVisible(piece, text.slice(start, end));
    box.append(piece);
  }
  return box;
}

/** Where to cut near `index`: after a line if one ends there, never inside a character. */
function splitAt(text, index) {
  if (index >= text.length) return text.length;
  const line = text.lastIndexOf("\n", index) + 1;
  if (line > index - PIECE / 2 && line > 0 && index > HEAD) return line;
  const code = text.charCodeAt(index);
  return code >= 0xdc00 && code <= 0xdfff ? index + 1 : index;
}
