// Characters that a reader does not see, or that turn the text around them: shown by their code, so that what is on the
// screen is what is in the value. Joiners stay, since emoji and several scripts need them.

import { element } from "./dom.js";

// Control and format characters and halves of pairs, but for tab, line feed and the joiners U+200C and U+200D.
const HIDDEN = /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const MOST_MARKS = 200; // in one piece of text; more are written as plain text, which is quick in any number

/**
 * Say what an unseen character is, such as "U+202E".
 * @param {string} character
 */
export function nameOf(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * Append text to an element, unseen characters as marks.
 * @param {Element} parent
 * @param {string} text
 */
export function appendVisible(parent, text) {
  const pieces = [];
  let end = 0;
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    if (pieces.length > 2 * MOST_MARKS) break;
    pieces.push(text.slice(end, index), element("span.unseen-mark", {}, nameOf(character)));
    end = index + character.length;
  }
  parent.append(...pieces, text.slice(end).replace(HIDDEN, (character) => `⟦${nameOf(character)}⟧`));
}
