// What is wrong with a value, in the words the server would use. The server has the last word; this one is quicker.

import { counted } from "./format.js";
import { formatJson, isObject, own } from "./json.js";
import { itemSchema, planOf } from "./schema.js";

const DEEPEST = 32;

/**
 * Say what is wrong with a value that has the right type for a leaf field.
 * @param {object} schema Resolved.
 * @param {*} value
 * @returns {string|null}
 */
export function complaint(schema, value) {
  if (typeof value === "string") return aboutText(schema, value);
  if (typeof value === "number" || typeof value === "bigint") return aboutNumber(schema, value);
  return Array.isArray(value) ? aboutLength(schema, value.length) : null;
}

function aboutText({ minLength = 0, maxLength = Infinity, pattern }, text) {
  const count = minLength > 0 || maxLength < text.length ? [...text].length : minLength;
  if (count < minLength) return `String should have at least ${counted(minLength, "character")}`;
  if (count > maxLength) return `String should have at most ${counted(maxLength, "character")}`;
  return pattern && !matches(pattern, text) ? `String should match pattern '${pattern}'` : null;
}

// A pattern that is none in JavaScript is left to the server.
function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
}

const LIMITS = [
  ["minimum", "greater than or equal to", (value, limit) => value >= limit],
  ["exclusiveMinimum", "greater than", (value, limit) => value > limit],
  ["maximum", "less than or equal to", (value, limit) => value <= limit],
  ["exclusiveMaximum", "less than", (value, limit) => value < limit],
];

function aboutNumber(schema, value) {
  if (typeof value === "number" && !Number.isFinite(value)) return "Input should be a finite number";
  if (schema.type === "integer" && typeof value === "number" && !Number.isInteger(value)) {
    return "Input should be a valid integer, got a number with a fractional part";
  }
  if (schema.multipleOf !== undefined && !isMultiple(value, schema.multipleOf)) {
    return `Input should be a multiple of ${schema.multipleOf}`;
  }
  const broken = LIMITS.find(([key, , holds]) => schema[key] !== undefined && !holds(value, schema[key]));
  return broken ? `Input should be ${broken[1]} ${schema[broken[0]]}` : null;
}

function isMultiple(value, step) {
  if (typeof value === "bigint") return !Number.isInteger(step) || value % BigInt(step) === 0n;
  const rest = Math.abs(value % step);
  const near = Math.abs(value) / 1e9;
  return rest <= near || Math.abs(rest - step) <= near;
}

function aboutLength({ minItems = 0, maxItems = Infinity }, count) {
  if (count >= minItems && count <= maxItems) return null;
  const limit = count < minItems ? `at least ${counted(minItems, "item")}` : `at most ${counted(maxItems, "item")}`;
  return `List should have ${limit} after validation, not ${count}`;
}

/**
 * Say that a value is none of those allowed.
 * @param {Array<*>} values
 * @returns {string}
 */
export function choiceComplaint(values) {
  const shown = values.map((value) => (typeof value === "string" ? `'${value}'` : formatJson(value)));
  const last = shown.pop();
  return `Input should be ${shown.length ? `${shown.join(", ")} or ` : ""}${last}`;
}

/** Whether two JSON values are the same, whatever the order of keys. */
export function same(left, right) {
  if (Object.is(left, right)) return true;
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    return left.every((item, index) => same(item, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length
    && keys.every((key) => Object.hasOwn(right, key) && same(left[key], right[key]));
}

/**
 * Tell whether a value fits a schema well enough to be shown in its form. Used to pick the branch of a union.
 * @param {*} schema
 * @param {*} value
 * @param {object} root
 * @returns {boolean}
 */
export function accepts(schema, value, root, depth = 0) {
  const plan = planOf(schema, root);
  if (depth > DEEPEST) return true;
  if (value === null && plan.canBeUnset) return true;
  return ACCEPTS[plan.kind](plan, value, (part, item) => accepts(part, item, root, depth + 1));
}

const ACCEPTS = {
  text: ({ schema }, value) => typeof value === "string" && complaint(schema, value) === null,
  number: ({ schema }, value) => ["number", "bigint"].includes(typeof value) && complaint(schema, value) === null,
  boolean: (plan, value) => typeof value === "boolean",
  const: ({ schema }, value) => same(schema.const ?? null, value),
  enum: ({ schema }, value) => schema.enum.some((one) => same(one, value)),
  json: () => true,
  union: ({ branches }, value, fits) => branches.some(({ schema }) => fits(schema, value)),
  array: ({ schema }, value, fits) => Array.isArray(value) && complaint(schema, value) === null
    && value.slice(0, 50).every((item, index) => {
      const part = itemSchema(schema, index);
      return part !== undefined && fits(part, item);
    }),
  map: (plan, value, fits) => isObject(value) && fitsObject(plan.schema, value, fits),
  object: (plan, value, fits) => isObject(value) && fitsObject(plan.schema, value, fits),
};

function fitsObject({ properties = {}, required = [], additionalProperties = true }, value, fits) {
  if (!required.every((key) => Object.hasOwn(value, key))) return false;
  return Object.entries(value).every(([key, item]) => {
    const part = own(properties, key);
    if (part !== undefined) return fits(part, item);
    return additionalProperties !== false && (!isObject(additionalProperties) || fits(additionalProperties, item));
  });
}
