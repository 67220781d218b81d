// Writes numbers and values the way this page shows them. Pure.

import { isObject } from "./json.js";

const MINUS = "\u2212";

/**
 * A reward with its sign: "+0.5", "−1", "0"; what is missing or no number is said in words.
 * @param {*} reward
 */
export function signed(reward) {
  if (reward === null || reward === undefined) return "none";
  const number = Number(reward);
  if (typeof reward === "boolean" || typeof reward === "object" || Number.isNaN(number)) return String(reward);
  const text = rounded(Math.abs(number));
  if (text === "0") return "0";
  return (number < 0 ? MINUS : "+") + text;
}

/** A number in at most five digits, without trailing zeros. @param {number} number */
export function rounded(number) {
  if (!Number.isFinite(number)) return number > 0 ? "∞" : number < 0 ? `${MINUS}∞` : "NaN";
  const size = Math.abs(number);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return number.toExponential(2).replace("-", MINUS);
  const digits = size >= 1000 ? 1 : size >= 1 ? 3 : 4;
  return String(Number(number.toFixed(digits))).replace("-", MINUS);
}

/** How good a reward is, as the name of its colour. @param {*} reward */
export const tone = (reward) => (reward > 0 ? "good" : reward < 0 ? "bad" : "even");

/** A duration: "4 ms", "1.25 s". @param {?number} milliseconds */
export function duration(milliseconds) {
  if (milliseconds == null) return "";
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** "1 step", "2 steps", "1,000 steps". @param {number|string} count @param {string} noun */
export const counted = (count, noun) => `${count} ${noun}${String(count) === "1" ? "" : "s"}`;

/**
 * A value on one line: strings without quotes, objects as `key=value`, everything cut to `limit`.
 * @param {*} value
 * @param {number} [limit]
 */
export function brief(value, limit = 120) {
  const only = isObject(value) ? Object.entries(value).filter(isTold) : [];
  const text =
    only.length === 1 && typeof only[0][1] === "string" ? only[0][1].slice(0, limit) : outline(value, 2, limit);
  return visible(text).slice(0, limit);
}

/** An object on one line, each key named. @param {Object} value */
export const pairs = (value) => visible(outline(value, 2, 120)).slice(0, 120);

const isTold = ([key, value]) => key !== "metadata" || Object.keys(value ?? {}).length > 0;

function outline(value, depth, limit) {
  if (typeof value === "string") return value.slice(0, limit);
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) {
    if (depth === 0 || value.length > 8) return `[${value.length}]`;
    return `[${value.map((item) => outline(item, depth - 1, limit)).join(", ")}]`;
  }
  if (depth === 0) return "{…}";
  const entries = Object.entries(value).filter(isTold).slice(0, 8);
  const text = entries.map(([key, item]) => `${key}=${outline(item, depth - 1, limit)}`).join(" ");
  return depth === 2 ? text : `(${text})`;
}

/** Make characters that would turn or break a line visible. @param {string} text */
export const visible = (text) =>
  text
    .replace(/[\n\r\t]+/g, " ↵ ")
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "�");
