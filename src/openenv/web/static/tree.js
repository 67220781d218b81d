// A value as a tree that folds. A branch is built when it is opened, and a large one opens in ranges, so that neither
// depth nor length costs anything before somebody looks.

import { shapeOf, summarise, viewOf } from "./arrays.js";
import { copyButton, element } from "./dom.js";
import { counted } from "./format.js";
import { short, viewNumbers } from "./heatmap.js";
import { appendVisible } from "./hidden.js";
import { imageSource, viewImage } from "./images.js";
import { formatJson, isObject } from "./json.js";
import { viewText } from "./long-text.js";
import { itemSchema, resolve } from "./schema.js";

const RANGE = 100; // children shown at once
const OPEN_DEPTH = 2; // levels that are open at first
const OPEN_CHILDREN = 20; // if they have no more than this
const OPEN_NUMBERS = 200_000; // or are a drawing of no more than this
const SUMMARISED = 8; // numbers from which a list is summed up rather than opened

/**
 * @typedef {object} Place Where a value stands.
 * @property {string} name
 * @property {number} depth
 * @property {object} schema Resolved; `{}` if nothing is known.
 * @property {object} root
 */

/**
 * Make the row of one value, with its children where it has any.
 * @param {*} value
 * @param {Place} place
 * @returns {HTMLElement}
 */
export function viewNode(value, place) {
  if (typeof value === "object" && value !== null && sizeOf(value) > 0) return branch(value, place);
  const copy = copyOf(value, place);
  const key = place.name === "" ? null : nameOf(place.name);
  return element("div.leaf", {}, key, viewLeaf(value, place), copy);
}

function sizeOf(value) {
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}

function nameOf(name) {
  const shown = element("bdi.key");
  appendVisible(shown, name.slice(0, 200));
  return element("span.key-part", {}, shown, ": ");
}

function copyOf(value, { name }) {
  const text = () => (typeof value === "string" ? value : formatJson(value, 2));
  const made = copyButton("Copy", text, "copy");
  made.setAttribute("aria-label", name ? `Copy ${name.slice(0, 80)}` : "Copy value");
  return made;
}

function viewLeaf(value, { name, schema }) {
  if (typeof value !== "string") {
    const kind = value === null ? "null" : typeof value;
    return element(`span.value.is-${kind}`, {}, typeof value === "object" ? formatJson(value) : String(value));
  }
  const text = () => element("span.value.is-string", {}, viewText(value));
  const source = imageSource(value, schema);
  return source === null ? text() : viewImage(source, name, text);
}

function branch(value, place) {
  const shape = Array.isArray(value) ? shapeOf(value) : null;
  const summary = shape ? summarise(value) : null;
  const head = element("summary");
  if (place.name !== "") head.append(nameOf(place.name));
  head.append(element("span.muted", {}, shape ? numbersInShort(shape, summary) : inShort(value)));
  const drawing = shape && summary.count >= SUMMARISED ? viewOf(shape, summary) : null;
  const node = element("details.branch", {}, head);
  const children = () => (drawing ? [drawn(drawing, value, shape, summary, place)] : childrenOf(value, place));
  const isSmall = drawing ? summary.count <= OPEN_NUMBERS : sizeOf(value) <= OPEN_CHILDREN;
  buildWhenOpened(node, () => element("div.children", {}, ...children()), isSmall && place.depth < OPEN_DEPTH);
  // Not inside the summary: a button in a button is reachable by nobody.
  return element("div.node", {}, node, copyOf(value, place));
}

function drawn(view, value, shape, summary, place) {
  const values = element("details.branch", {}, element("summary", {}, element("span.muted", {}, "values")));
  buildWhenOpened(values, () => element("div.children", {}, ...childrenOf(value, place)), false);
  return element("div", {}, viewNumbers(view, value, shape, summary, place.name || "the value"), values);
}

function buildWhenOpened(node, build, isOpen) {
  let isBuilt = false;
  const grow = () => {
    if (isBuilt) return;
    isBuilt = true;
    node.append(build());
  };
  node.addEventListener("toggle", () => node.open && grow());
  if (!isOpen) return;
  grow();
  node.open = true;
}

function numbersInShort(shape, { min, max, mean }) {
  return `${shape.join(" × ")} numbers, min ${short(min)}, max ${short(max)}, mean ${short(mean)}`;
}

function inShort(value) {
  return counted(sizeOf(value).toLocaleString("en"), Array.isArray(value) ? "item" : "key");
}

function childrenOf(value, place) {
  const keys = Array.isArray(value) ? null : Object.keys(value);
  const count = keys ? keys.length : value.length;
  return rangeOf(0, count, (index) => {
    const name = keys ? keys[index] : String(index);
    const schema = resolve(childSchema(place.schema, keys ? name : index, place.root), place.root);
    return viewNode(value[name], { name, depth: place.depth + 1, schema, root: place.root });
  });
}

/** The children from `start` to `end`, or ranges of them that open by themselves. */
function rangeOf(start, end, childAt) {
  if (end - start <= RANGE) return Array.from({ length: end - start }, (_, offset) => childAt(start + offset));
  const size = RANGE ** Math.ceil(Math.log(end - start) / Math.log(RANGE) - 1 - 1e-9);
  const ranges = [];
  for (let first = start; first < end; first += size) {
    const last = Math.min(first + size, end);
    const head = element("summary", {}, element("span.muted", {}, `${first} … ${last - 1}`));
    const node = element("details.branch", {}, head);
    buildWhenOpened(node, () => element("div.children", {}, ...rangeOf(first, last, childAt)), first === 0);
    ranges.push(node);
  }
  return ranges;
}

function childSchema(schema, key, root) {
  const options = [schema, ...(schema.anyOf ?? schema.oneOf ?? []).map((option) => resolve(option, root))];
  if (typeof key === "number") {
    return itemSchema(options.find(({ items, prefixItems }) => items ?? prefixItems) ?? {}, key) ?? {};
  }
  const named = options.find(({ properties }) => properties && Object.hasOwn(properties, key));
  if (named) return named.properties[key];
  return options.find(({ additionalProperties }) => isObject(additionalProperties))?.additionalProperties ?? {};
}
