// Where two JSON values differ. Pure.

import { own } from "./json.js";

/**
 * @param {*} before
 * @param {*} after
 * @param {number} [limit] how many are listed at most
 * @returns {Array<{path: Array<string|number>, before: *, after: *}>} `undefined` stands for "is not there"
 */
export function differences(before, after, limit = 50) {
  const found = [];
  const work = [[[], before, after]]; // a list of its own, as values may be nested deeper than calls can
  while (work.length && found.length < limit) {
    const [path, left, right] = work.pop();
    if (Object.is(left, right)) continue;
    if (!isContainer(left) || !isContainer(right) || Array.isArray(left) !== Array.isArray(right)) {
      found.push({ path, before: left, after: right });
      continue;
    }
    const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
    for (const key of keys.reverse()) work.push([[...path, key], own(left, key), own(right, key)]);
  }
  return found;
}

/** What a replayed record shows otherwise than its recording: the outcome, and nothing about time. */
export function outcomeDifferences(recorded, replayed) {
  return differences(outcome(recorded), outcome(replayed));
}

const outcome = ({ observation, reward, done, truncated, error }) => ({
  observation: observation ?? null,
  reward: reward ?? null,
  done: Boolean(done),
  truncated: Boolean(truncated),
  error: error ? (error.code ?? String(error)) : null,
});

const isContainer = (value) => value !== null && typeof value === "object";

/** A path as people write it: `board[2].x`. @param {Array<string|number>} path */
export const writePath = (path) =>
  path.map((key, place) => (/^\d+$/.test(key) ? `[${key}]` : place ? `.${key}` : key)).join("") || "(all)";
