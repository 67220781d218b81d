// Reads what the server sends: JSON, and the words NaN and Infinity, which Python writes. Pure.

import { parseJson } from "./json.js";

const WORDS = { NaN, Infinity, "-Infinity": -Infinity };
// A string as a whole, so that a word in one is left alone; or a word.
const STRING_OR_WORD = /"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/g;
const MARK = "\u0000word:";

/** @param {string} text @returns {*} */
export function decode(text) {
  try {
    return parseJson(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    const marked = text.replace(STRING_OR_WORD, (found) => (found in WORDS ? `"\\u0000word:${found}"` : found));
    return revive(parseJson(marked));
  }
}

function revive(value) {
  if (typeof value === "string" && value.startsWith(MARK)) return WORDS[value.slice(MARK.length)] ?? value;
  if (value !== null && typeof value === "object") {
    for (const key of Object.keys(value)) {
      const part = revive(value[key]);
      if (!Object.is(part, value[key])) value[key] = part;
    }
  }
  return value;
}
