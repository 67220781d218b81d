// Values as literals of Python, as JSON, and as words of a POSIX shell. Everything unseen is written by its code, so
// that what is pasted is what was looked at. Pure.

import { formatJson, isLargeFloat } from "./json.js";

const HIDDEN = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;
const QUOTED = new RegExp(`["\\\\]|${HIDDEN.source}`, "gu");
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"' };
const DEEPEST = 40; // Python's parser takes some two hundred brackets inside each other, and a call has its own.
const LONGEST_INTEGER = 4000; // digits; Python reads a longer one only in base 16

/**
 * Write a text as a Python literal.
 * @param {string} text
 * @returns {string}
 */
export function pythonText(text) {
  const escaped = text.replace(QUOTED, (character) => {
    if (SHORT[character]) return SHORT[character];
    const code = character.codePointAt(0).toString(16);
    if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });
  return `"${escaped}"`;
}

/**
 * Write a JSON value as a Python literal; what is nested too deeply for one, as a call of `json.loads`.
 * @param {*} value
 * @returns {string}
 */
export function pythonValue(value) {
  return depthOf(value) > DEEPEST ? `json.loads(${pythonText(jsonText(value))})` : literal(value);
}

function depthOf(value) {
  let level = [value];
  let depth = 0;
  while (level.length && depth <= DEEPEST) {
    level = level.flatMap((part) => (typeof part === "object" && part !== null ? Object.values(part) : []));
    depth += 1;
  }
  return depth;
}

function literal(value) {
  if (value === null || value === undefined) return "None";
  if (typeof value === "string") return pythonText(value);
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return integer(value);
  if (typeof value === "number") return float(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  return `{${Object.entries(value).map(([key, item]) => `${pythonText(key)}: ${literal(item)}`).join(", ")}}`;
}

function integer(value) {
  const digits = String(value);
  if (digits.length <= LONGEST_INTEGER) return digits;
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

function float(value) {
  if (Object.is(value, -0)) return "-0.0";
  if (isLargeFloat(value)) return value.toExponential();
  return Number.isFinite(value) ? String(value) : `float("${String(value).replace("Infinity", "inf").toLowerCase()}")`;
}

/**
 * Write JSON on one line, everything unseen escaped.
 * @param {*} value
 * @returns {string}
 */
export function jsonText(value) {
  const units = (character) => Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  const escape = (unit) => `\\u${unit.toString(16).padStart(4, "0")}`;
  return formatJson(value).replace(HIDDEN, (character) => units(character).map(escape).join(""));
}

/**
 * Write a text as one word of a POSIX shell.
 * @param {string} text
 * @returns {string}
 * @throws {RangeError} It holds a NUL, which no word of a shell can.
 */
export function shellWord(text) {
  if (text.includes("\0")) throw new RangeError("a word of a shell cannot hold the character NUL");
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const KEYWORDS = new Set((
  "False None True and as assert async await break class continue def del elif else except finally for from global if "
  + "import in is lambda nonlocal not or pass raise return try while with yield"
).split(" "));

/** Whether a text may be the name of an argument in Python. */
export function isPythonName(text) {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text) && !KEYWORDS.has(text);
}
