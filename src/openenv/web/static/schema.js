// What a JSON schema says, without the DOM: references, defaults, and which kind of field a part of it needs.

import { counted } from "./format.js";
import { formatJson, isObject, own } from "./json.js";

const DEEPEST = 16; // A schema may be recursive; a value that is made up from it may not be endless.

/**
 * Follow `$ref` and merge `allOf`. Words beside a reference win over the words it leads to.
 * @param {*} schema
 * @param {object} root The schema that holds `$defs`.
 * @returns {object}
 */
export function resolve(schema, root, depth = 0) {
  let found = asObject(schema);
  const seen = new Set();
  while (typeof found.$ref === "string") {
    if (seen.has(found.$ref)) return {};
    seen.add(found.$ref);
    const { $ref, ...beside } = found;
    found = { ...asObject(lookUp($ref, root)), ...beside };
  }
  return Array.isArray(found.allOf) && depth < DEEPEST ? merge(found, root, depth) : found;
}

function asObject(schema) {
  return isObject(schema) ? schema : {};
}

function lookUp(reference, root) {
  if (!reference.startsWith("#")) return {};
  const parts = reference.split("/").slice(1);
  const keys = parts.map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce((at, key) => (at === null || typeof at !== "object" ? undefined : own(at, key)), root);
}

function merge(schema, root, depth) {
  const { allOf, ...beside } = schema;
  return [...allOf.map((part) => resolve(part, root, depth + 1)), beside].reduce((whole, part) => {
    const both = { ...whole, ...part };
    if (whole.properties && part.properties) both.properties = { ...whole.properties, ...part.properties };
    if (whole.required && part.required) both.required = [...whole.required, ...part.required];
    return both;
  }, {});
}

/**
 * @typedef {object} Plan How a part of a schema is filled in.
 * @property {"text"|"number"|"boolean"|"enum"|"const"|"array"|"object"|"map"|"union"|"json"} kind
 * @property {object} schema Resolved, and without the null of an optional field.
 * @property {boolean} required Whether it must be there.
 * @property {boolean} canBeUnset Whether "not set" is one of its values.
 * @property {null|undefined} unset What "not set" is sent as; undefined leaves the field away.
 * @property {{schema: object, name: string, names: string[], tag: *}[]} branches Of a union.
 * @property {string|null} tagKey The property by which a union is told apart.
 */

/**
 * Decide how a part of a schema is filled in.
 * @param {*} schema
 * @param {object} root
 * @param {boolean} [required]
 * @returns {Plan}
 */
export function planOf(schema, root, required = true) {
  const whole = resolve(schema, root);
  const { options, nullable } = optionsOf(whole, root);
  const inner = options.length === 1 ? { ...resolve(options[0], root), ...withoutOptions(whole) } : whole;
  const values = options.length > 1 ? constants(options, root) : null;
  const plain = values ? { ...withoutOptions(whole), enum: values } : inner;
  const kind = options.length > 1 && !values ? "union" : kindOf(plain);
  const given = whole.default;
  return {
    kind,
    schema: kind === "enum" ? { ...plain, enum: plain.enum.filter((value) => value !== null) } : plain,
    required,
    canBeUnset: nullable || (!required && given === undefined),
    unset: nullable && (required || (given !== undefined && given !== null)) ? null : undefined,
    ...(kind === "union" ? branchesOf(whole, options, root) : { branches: [], tagKey: null }),
  };
}

// The alternatives of a schema other than null; none if it has no alternatives.
function optionsOf(whole, root) {
  let options = [];
  if (Array.isArray(whole.type)) options = whole.type.map((type) => ({ ...whole, type }));
  else if (!whole.properties) options = whole.anyOf ?? whole.oneOf ?? [];
  const rest = options.filter((option) => !isNull(resolve(option, root)));
  const nullable = rest.length < options.length || (Array.isArray(whole.enum) && whole.enum.includes(null));
  return { options: rest, nullable };
}

function isNull(schema) {
  return schema.type === "null" || ("const" in schema && schema.const === null);
}

function withoutOptions({ anyOf, oneOf, type, discriminator, ...rest }) {
  return Array.isArray(type) || type === undefined ? rest : { type, ...rest };
}

function constants(options, root) {
  const resolved = options.map((option) => resolve(option, root));
  return resolved.every((option) => "const" in option) ? resolved.map((option) => option.const) : null;
}

const KINDS = { string: "text", integer: "number", number: "number", boolean: "boolean", array: "array" };

function kindOf(schema) {
  if ("const" in schema) return "const";
  if (Array.isArray(schema.enum)) return "enum";
  if (isNull(schema)) return "const";
  if (schema.type === "object" || (schema.type === undefined && schema.properties)) {
    return schema.properties && Object.keys(schema.properties).length ? "object" : "map";
  }
  if (schema.type === undefined && (schema.items || schema.prefixItems)) return "array";
  return KINDS[schema.type] ?? "json";
}

// Pydantic says by these names which branch of a union an error is about.
const PYTHON_NAMES = {
  string: ["str", "constrained-str"], integer: ["int", "constrained-int"], number: ["float", "constrained-float"],
  boolean: ["bool"], array: ["list[", "tuple[", "set[", "frozenset["], object: ["dict["],
};

function branchesOf(whole, options, root) {
  const tagKey = whole.discriminator?.propertyName ?? commonTag(options, root);
  const mapping = Object.entries(whole.discriminator?.mapping ?? {});
  const branches = options.map((option) => {
    const schema = resolve(option, root);
    const mapped = mapping.filter(([, to]) => to === option.$ref).map(([tag]) => tag);
    const tags = [...mapped, ...tagsOf(schema, tagKey, root)];
    const word = typeof option.$ref === "string" ? option.$ref.split("/").at(-1) : undefined;
    const name = schema.title ?? word ?? (tags.length ? String(tags[0]) : describe(option, root));
    const names = [...tags.map(String), schema.title, word, ...(PYTHON_NAMES[schema.type] ?? [])];
    const literal = schema.enum || "const" in schema ? ["literal["] : [];
    return { schema: option, name, names: [...names.filter(Boolean), ...literal], tags };
  });
  if (new Set(branches.map(({ name }) => name)).size < branches.length) {
    branches.forEach((branch, index) => (branch.name = String(branch.tags[0] ?? `${branch.name} ${index + 1}`)));
  }
  return { branches, tagKey };
}

function tagsOf(schema, tagKey, root) {
  const tag = tagKey === null ? undefined : own(schema.properties ?? {}, tagKey);
  if (tag === undefined) return [];
  const said = resolve(tag, root);
  return "const" in said ? [said.const] : (said.enum ?? []);
}

function commonTag(options, root) {
  const [first, ...others] = options.map((option) => resolve(option, root).properties ?? {});
  const isTag = (properties, key) => Object.hasOwn(properties, key) && "const" in resolve(properties[key], root);
  return Object.keys(first).find((key) => [first, ...others].every((properties) => isTag(properties, key))) ?? null;
}

/**
 * Make the value a fresh form starts with: the default, or the least that has the right type.
 * @param {*} schema
 * @param {object} root
 * @returns {*}
 */
export function emptyValue(schema, root, depth = 0) {
  const whole = resolve(schema, root);
  if (whole.default !== undefined) return structuredClone(whole.default);
  const plan = planOf(schema, root);
  if (plan.canBeUnset || depth > DEEPEST) return null;
  const inner = plan.schema;
  const empty = (part) => emptyValue(part, root, depth + 1);
  switch (plan.kind) {
    case "text": return "";
    case "number": return leastNumber(inner);
    case "boolean": return false;
    case "const": return inner.const ?? null;
    case "enum": return inner.enum[0] ?? null;
    case "array": return Array.from({ length: fewestItems(inner) }, (_, index) => empty(itemSchema(inner, index)));
    case "object":
      return Object.fromEntries((inner.required ?? []).map((key) => [key, empty(own(inner.properties, key))]));
    case "map": return {};
    case "union": return empty(plan.branches[0].schema);
    default: return null;
  }
}

function leastNumber({ type, minimum, exclusiveMinimum, maximum, exclusiveMaximum }) {
  const step = type === "integer" ? 1 : Number.EPSILON;
  const low = minimum ?? (exclusiveMinimum === undefined ? -Infinity : exclusiveMinimum + step);
  const high = maximum ?? (exclusiveMaximum === undefined ? Infinity : exclusiveMaximum - step);
  return Math.min(Math.max(0, low), high);
}

/** How many items an array has at least. */
export function fewestItems(schema) {
  return Math.max(schema.prefixItems?.length ?? 0, schema.minItems ?? 0);
}

/** The schema of one item of an array; undefined where there may be none. */
export function itemSchema(schema, index) {
  const prefix = schema.prefixItems ?? [];
  if (index < prefix.length) return prefix[index];
  if (schema.items === false || (prefix.length && schema.items === undefined)) return undefined;
  return schema.items ?? {};
}

/** Whether an array has a fixed number of items. */
export function isTuple(schema) {
  return Boolean(schema.prefixItems) && itemSchema(schema, schema.prefixItems.length) === undefined;
}

/** The fields of an object that a person fills in: all but free-form extras and fixed values. */
function visibleProperties(schema, root) {
  const entries = Object.entries(schema.properties ?? {});
  return entries.filter(([name, part]) => name !== "metadata" && planOf(part, root).kind !== "const");
}

/**
 * Tell whether an action is one required text and nothing else, so that a chat-like box fits.
 * @param {object} schema
 * @returns {boolean}
 */
export function isChat(schema) {
  const whole = resolve(schema, schema);
  const visible = visibleProperties(whole, schema);
  if (visible.length !== 1 || whole.additionalProperties) return false;
  const [name, part] = visible[0];
  return (whole.required ?? []).includes(name) && planOf(part, schema).kind === "text";
}

/**
 * Say in words what a part of a schema takes, such as "integer, 1 to 10".
 * @param {*} schema
 * @param {object} root
 * @returns {string}
 */
export function describe(schema, root, depth = 0) {
  const plan = planOf(schema, root);
  const words = depth > 3 ? "anything" : WORDS[plan.kind](plan, (part) => describe(part, root, depth + 1));
  return plan.canBeUnset ? `${words} or not set` : words;
}

const WORDS = {
  text: ({ schema }) => joined(schema.format ?? "text", range(schema.minLength, schema.maxLength, "character")),
  number: ({ schema }) =>
    joined(schema.type, bounds(schema), schema.multipleOf && `a multiple of ${schema.multipleOf}`),
  boolean: () => "yes or no",
  const: ({ schema }) => `always ${formatJson(schema.const ?? null)}`,
  enum: ({ schema }) => `one of ${schema.enum.length}`,
  array: ({ schema }, say) => isTuple(schema)
    ? `${schema.prefixItems.map(say).join(" and ")}`
    : joined(`list of ${say(itemSchema(schema, Infinity))}`, range(schema.minItems, schema.maxItems, "item")),
  object: ({ schema }) => schema.title ?? "object",
  map: ({ schema: { additionalProperties } }, say) =>
    isObject(additionalProperties) ? `map to ${say(additionalProperties)}` : "map",
  union: ({ branches }, say) =>
    branches.map(({ schema, tags }) => (tags.length ? String(tags[0]) : say(schema))).join(" or "),
  json: () => "anything",
};

function joined(...parts) {
  return parts.filter(Boolean).join(", ");
}

function range(low = 0, high, thing) {
  if (high === undefined) return low && `at least ${counted(low, thing)}`;
  if (!low) return `at most ${counted(high, thing)}`;
  return low === high ? counted(low, thing) : `${low} to ${counted(high, thing)}`;
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  return joined(
    minimum !== undefined && `at least ${minimum}`,
    exclusiveMinimum !== undefined && `more than ${exclusiveMinimum}`,
    maximum !== undefined && `at most ${maximum}`,
    exclusiveMaximum !== undefined && `less than ${exclusiveMaximum}`,
  );
}
