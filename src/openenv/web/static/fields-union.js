// A choice between kinds of value, "not set" among them where that is possible. Only the chosen one is built.

import { accepts } from "./check.js";
import { element } from "./dom.js";
import { isObject, own } from "./json.js";
import { planOf } from "./schema.js";

/** What `at` gives for a branch that is not the chosen one: its errors are about another value. */
export const ELSEWHERE = Symbol("another branch");

/** The widget of a union, and of anything with parts that may be left unset. */
export function unionWidget(plan, context, settings) {
  const { schema, canBeUnset, unset, tagKey } = plan;
  const only = { schema: required(schema), name: "set", names: [], tags: [] };
  const branches = plan.kind === "union" ? plan.branches : [only];
  const control = element("select", {
    id: settings.id, name: settings.name, "aria-describedby": settings.describedBy, disabled: schema.readOnly,
    onchange: () => {
      show(control.value);
      context.changed();
    },
  });
  if (canBeUnset) control.add(new Option("not set", ""));
  branches.forEach(({ name }, index) => control.add(new Option(name, String(index))));
  const body = element("div.field-branch");
  const built = new Map();

  function fieldOf(index) {
    if (!built.has(index)) {
      const label = plan.kind === "union" ? `${settings.label}, ${branches[index].name}` : settings.label;
      built.set(index, context.create(branches[index].schema, context, {
        label, name: settings.name, bare: true, depth: settings.depth + 1, hidden: tagKey,
      }));
    }
    return built.get(index);
  }

  const active = () => (control.value === "" ? null : fieldOf(Number(control.value)));

  function show(value) {
    control.value = value;
    body.replaceChildren(...(value === "" ? [] : [active().element]));
    body.hidden = value === "";
  }

  function branchFor(value) {
    const tag = tagKey !== null && isObject(value) ? own(value, tagKey) : undefined;
    const tagged = branches.findIndex(({ tags }) => tag !== undefined && tags.includes(tag));
    if (tagged >= 0 || plan.kind !== "union") return Math.max(tagged, 0);
    const fitting = branches.findIndex((branch) => accepts(branch.schema, value, context.root));
    const alike = branches.filter((branch) => hasKind(planOf(branch.schema, context.root).kind, value));
    return fitting < 0 && alike.length === 1 ? branches.indexOf(alike[0]) : fitting;
  }

  show(canBeUnset ? "" : "0");
  return {
    element: element("div.field-union", {}, control, body),
    control,
    get: () => (active() ? active().get() : unset),
    set(value) {
      if (value === undefined) {
        built.clear();
        show(canBeUnset ? "" : "0");
        return true;
      }
      const index = branchFor(value);
      if (index < 0) return false;
      show(String(index));
      active().set(value);
      return true;
    },
    errors: () => active()?.errors() ?? [],
    at(part) {
      const field = active();
      if (!field) return null;
      const named = branches.findIndex(({ names }) => names.some((name) => isNamed(part, name)));
      if (named < 0 || plan.kind !== "union") return field.at(part);
      return named === Number(control.value) ? field : ELSEWHERE;
    },
    parts: () => (active() ? [active()] : []),
  };
}

// Whether a value, though something is wrong with it, is of the kind that a field shows.
function hasKind(kind, value) {
  if (Array.isArray(value)) return kind === "array";
  if (isObject(value)) return kind === "object" || kind === "map";
  return kind === { string: "text", number: "number", bigint: "number", boolean: "boolean" }[typeof value];
}

// Pydantic names a list by what it holds: `list[int]`.
function isNamed(part, name) {
  return typeof part === "string" && (name.endsWith("[") ? part.startsWith(name) : part === name);
}

// Its default and description are the choice's own.
function required({ default: given, description, ...schema }) {
  return schema;
}
