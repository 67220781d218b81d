// JSON that keeps integers beyond 2^53: a BigInt inside, the same digits outside.

// Digits after a point are common and lose nothing that matters, so they do not count.
const LONG_INTEGER = /(?<![.\d])\d{16}/;

/**
 * Parse JSON; an integer that a number cannot hold becomes a BigInt.
 * @param {string} text
 * @returns {*}
 * @throws {SyntaxError}
 */
export function parseJson(text) {
  return LONG_INTEGER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
}

// Browsers older than 2025 do not say what was written, and round.
function keepDigits(key, value, context) {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source ?? "";
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/**
 * Write JSON, a BigInt as its digits.
 * @param {*} value
 * @param {number} [indent] Spaces a level; 0 for one line.
 * @returns {string}
 */
export function formatJson(value, indent = 0) {
  return JSON.stringify(value, writeDigits, indent) ?? "";
}

const rawNumber = JSON.rawJSON ?? Number;

function writeDigits(key, value) {
  if (typeof value === "bigint") return rawNumber(String(value));
  return isLargeFloat(value) ? rawNumber(value.toExponential()) : value;
}

/**
 * Tell whether a number would be written with digits that it does not have, as an integer that it was not.
 * @param {*} value
 * @returns {boolean}
 */
export function isLargeFloat(value) {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

/**
 * Tell whether a value is a JSON object.
 * @param {*} value
 * @returns {boolean}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Give what stands under a key of the object itself: keys like `constructor` are only there if somebody put them there.
 * @param {object} object
 * @param {string} key
 * @returns {*}
 */
export function own(object, key) {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
