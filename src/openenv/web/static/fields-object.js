// An object with named fields, with keys of a person's own choice, or with both.

import { button, element } from "./dom.js";
import { isObject, own } from "./json.js";

const MOST_KEYS = 200;

/** The widget of an object or a map. */
export function objectWidget(plan, context, settings) {
  const { properties = {}, required = [], additionalProperties, readOnly } = plan.schema;
  const body = element("div.fields");
  const fields = new Map();
  const folds = new Map();
  const extras = []; // last, so that the first field is one that matters
  for (const [key, part] of Object.entries(properties)) {
    const isRequired = required.includes(key);
    const name = settings.isRoot ? key : settings.name && `${settings.name}.${key}`;
    const field = context.create(part, context, { label: key, name, required: isRequired, depth: settings.depth + 1 });
    fields.set(key, field);
    field.element.hidden = key === settings.hidden;
    const isExtra = settings.isRoot && key === "metadata" && !isRequired && Object.keys(properties).length > 1;
    if (isExtra) extras.push(fold(key, field, folds));
    else body.append(field.element);
  }
  const takesOthers = plan.kind === "map" ? additionalProperties !== false : Boolean(additionalProperties);
  const others = keysWidget(isObject(additionalProperties) ? additionalProperties : {}, context, settings);
  const othersPart = element("div.field-others", {}, others.element);
  if (fields.size) othersPart.prepend(element("span.field-label", {}, "other keys"));
  othersPart.hidden = !takesOthers;
  if (readOnly) others.freeze();
  if (!fields.size && !takesOthers) body.append(element("p.field-hint", {}, "Nothing to fill in."));
  body.append(othersPart, ...extras);

  const shown = (key) => !folds.has(key) || folds.get(key).isOpen();
  return {
    element: body,
    control: null,
    get() {
      const named = [...fields].map(([key, field]) => [key, shown(key) ? field.get() : undefined]);
      return Object.fromEntries([...named, ...others.entries()].filter(([, value]) => value !== undefined));
    },
    set(value) {
      const given = value ?? {};
      if (!isObject(given)) return false;
      const unknown = Object.keys(given).filter((key) => !fields.has(key));
      if (unknown.length > MOST_KEYS) return false;
      for (const [key, field] of fields) {
        const item = own(given, key);
        if (value === undefined || item === undefined) field.set(field.plan.schema.default ?? undefined);
        else field.set(item);
        if (isObject(item) && Object.keys(item).length) folds.get(key)?.open();
      }
      others.set(unknown.map((key) => [key, given[key]]));
      othersPart.hidden = !takesOthers && !unknown.length;
      return true;
    },
    errors() {
      const named = [...fields].filter(([key]) => shown(key)).flatMap(([key, field]) => within(key, field.errors()));
      return [...named, ...others.errors()];
    },
    at(part) {
      folds.get(part)?.open();
      return fields.get(part) ?? others.at(part);
    },
    parts: () => [...fields.values(), ...others.parts()],
  };
}

function within(key, errors) {
  return errors.map(({ path, message }) => ({ path: [key, ...path], message }));
}

/** Keep a field out of sight until it is asked for. */
function fold(key, field, folds) {
  const open = () => {
    field.element.hidden = false;
    ask.hidden = true;
  };
  const ask = button(`Add ${key}`, () => {
    open();
    field.set({});
    field.focus();
  }, "quiet");
  field.element.hidden = true;
  folds.set(key, { open, isOpen: () => !field.element.hidden });
  return element("div.field-fold", {}, ask, field.element);
}

/** Rows of a key and a value each. */
function keysWidget(schema, context, { label, id, depth }) {
  const rows = element("ul.items");
  const add = button("Add key", () => {
    append("").control.focus();
    context.changed();
  }, "quiet");
  add.setAttribute("aria-label", `Add key to ${label}`);
  let entries = [];

  function append(key, value) {
    const entry = { field: context.create(schema, context, { label: "value", bare: true, depth: depth + 1 }) };
    if (value !== undefined) entry.field.set(value);
    const rename = () => entry.field.relabel(entry.control.value ? `value of ${entry.control.value}` : "value");
    entry.control = element("input.item-key", {
      "aria-label": `Key in ${label}`, placeholder: "key", "aria-describedby": `${id}-error`,
      oninput: () => {
        rename();
        context.changed();
      },
    });
    entry.control.value = key;
    entry.key = () => (entry.control.value === entry.shown ? key : entry.control.value);
    entry.shown = entry.control.value;
    rename();
    const remove = button("✕", () => drop(entry), "quiet");
    remove.setAttribute("aria-label", `Remove key from ${label}`);
    const tools = element("span.item-tools", {}, remove);
    entry.row = element("li.item.item-pair", {}, entry.control, entry.field.element, tools);
    entries.push(entry);
    rows.append(entry.row);
    return entry;
  }

  function drop(entry) {
    entries = entries.filter((one) => one !== entry);
    entry.row.remove();
    add.focus();
    context.changed();
  }

  return {
    element: element("div", {}, rows, add),
    entries: () => entries.map((entry) => [entry.key(), entry.field.get() ?? null]),
    set(pairs) {
      entries = [];
      rows.replaceChildren();
      for (const [key, value] of pairs) append(key, value);
    },
    errors() {
      const keys = entries.map((entry) => entry.key());
      const twice = keys.find((key, index) => keys.indexOf(key) < index);
      const inner = entries.flatMap((entry) => within(entry.key(), entry.field.errors()));
      if (twice === undefined) return inner;
      return [{ path: [], message: `Keys should differ, and '${twice}' is there twice` }, ...inner];
    },
    at: (part) => entries.find((entry) => entry.key() === String(part))?.field ?? null,
    parts: () => entries.map(({ field }) => field),
    freeze: () => add.setAttribute("disabled", ""),
  };
}
