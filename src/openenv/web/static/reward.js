// Why a reward came out as it did: finds the parts that an environment reports in an observation. Pure.

import { isObject } from "./json.js";

const NAMES = /^(rewards?|reward_?(components?|breakdown|parts|terms|details?|info)|rubrics?|rubric_scores?|scores?)$/i;
const LIMIT = 40;

/**
 * @param {{observation: *, metadata: *}} record
 * @returns {Array<{name: string, parts: Array<{name: string, value: number}>}>}
 */
export function rewardParts(record) {
  const found = [];
  const places = [record.observation, record.observation?.metadata, record.metadata, record.metadata?.info];
  const seen = new Set();
  for (const place of places) {
    if (!isObject(place)) continue;
    for (const [name, value] of Object.entries(place)) {
      if (!NAMES.test(name) || !isObject(value) || seen.has(name)) continue;
      const parts = numbers(value);
      if (parts.length) {
        seen.add(name);
        found.push({ name, parts });
      }
    }
  }
  return found;
}

/** The numbers in an object and in the objects in it, named by their way: "style.length". */
function numbers(value) {
  const parts = [];
  for (const [key, item] of Object.entries(value)) {
    if (typeof item === "number") parts.push({ name: key, value: item });
    else if (isObject(item)) {
      for (const [inner, part] of Object.entries(item)) {
        if (typeof part === "number") parts.push({ name: `${key}.${inner}`, value: part });
      }
    }
    if (parts.length >= LIMIT) break;
  }
  return parts;
}
