// Any JSON value, to be looked at: folded, summed up, drawn, and whatever is in it, nothing but data.

import { element } from "./dom.js";
import { resolve } from "./schema.js";
import { viewNode } from "./tree.js";

/**
 * Show a value.
 * @param {*} value
 * @param {{schema?: object, name?: string}} [options] The value's JSON schema tells which texts are pictures.
 * @returns {HTMLElement}
 */
export function viewValue(value, { schema = {}, name = "" } = {}) {
  const place = { name, depth: 0, schema: resolve(schema, schema), root: schema };
  return element("div.value-view", {}, viewNode(value === undefined ? null : value, place));
}
