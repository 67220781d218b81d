// A list: items are added, removed and moved. A tuple has the items it has.

import { complaint } from "./check.js";
import { button, element } from "./dom.js";
import { fewestItems, isTuple, itemSchema } from "./schema.js";

const MOST_ITEMS = 200; // A longer list is a text of JSON: nobody fills in so many fields.

/** The widget of an array. */
export function arrayWidget(plan, context, settings) {
  const { schema } = plan;
  const isFixed = isTuple(schema);
  const rows = element("ol.items");
  const add = button("Add item", () => addItem(), "quiet");
  add.hidden = isFixed || Boolean(schema.readOnly);
  const whole = element("div", {}, rows, add);
  let items = [];
  let touched = false;

  function append(value) {
    const index = items.length;
    const isPrefix = index < (schema.prefixItems?.length ?? 0);
    const options = { label: `item ${index + 1}`, depth: settings.depth + 1 };
    const field = context.create(itemSchema(schema, index), context, options);
    if (value !== undefined) field.set(value);
    const item = { field, isPrefix };
    item.tools = isPrefix || schema.readOnly ? element("span") : toolsOf(item);
    item.row = element("li.item", {}, field.element, item.tools);
    items.push(item);
    rows.append(item.row);
    return item;
  }

  function toolsOf(item) {
    const up = button("↑", () => move(item, -1), "quiet");
    const down = button("↓", () => move(item, 1), "quiet");
    const remove = button("✕", () => drop(item), "quiet");
    Object.assign(item, { up, down, remove });
    return element("span.item-tools", {}, up, down, remove);
  }

  function settle() {
    const first = items.filter(({ isPrefix }) => isPrefix).length;
    items.forEach((item, index) => {
      item.field.relabel(`item ${index + 1}`);
      if (!item.remove) return;
      const name = `item ${index + 1} of ${settings.label}`;
      item.up.setAttribute("aria-label", `Move ${name} up`);
      item.down.setAttribute("aria-label", `Move ${name} down`);
      item.remove.setAttribute("aria-label", `Remove ${name}`);
      item.up.disabled = index === first;
      item.down.disabled = index === items.length - 1;
    });
    add.setAttribute("aria-label", `Add item to ${settings.label}`);
    add.disabled = items.length >= Math.min(schema.maxItems ?? MOST_ITEMS, MOST_ITEMS);
  }

  function changed() {
    touched = true;
    settle();
    context.changed();
  }

  function addItem() {
    const item = append();
    changed();
    item.field.focus();
  }

  function move(item, by) {
    const from = items.indexOf(item);
    const other = items[from + by];
    [items[from], items[from + by]] = [other, item];
    if (by < 0) other.row.before(item.row);
    else other.row.after(item.row);
    changed();
    const pressed = by < 0 ? item.up : item.down;
    (pressed.disabled ? item.remove : pressed).focus();
  }

  function drop(item) {
    const index = items.indexOf(item);
    items.splice(index, 1);
    item.row.remove();
    changed();
    (items[Math.min(index, items.length - 1)]?.remove ?? add).focus();
  }

  function fill(values) {
    items = [];
    rows.replaceChildren();
    values.forEach(append);
    settle();
    return true;
  }

  fill(Array.from({ length: fewestItems(schema) }));
  return {
    element: whole,
    control: null,
    get: () => (items.length || touched || plan.required ? items.map(({ field }) => field.get() ?? null) : plan.unset),
    set(values) {
      touched = values !== undefined;
      if (values === undefined) return fill(Array.from({ length: fewestItems(schema) }));
      const prefix = schema.prefixItems?.length ?? 0;
      if (!Array.isArray(values) || values.length > MOST_ITEMS || values.length < prefix) return false;
      return isFixed && values.length > prefix ? false : fill(values);
    },
    errors() {
      const inner = items.flatMap(({ field }, index) =>
        field.errors().map(({ path, message }) => ({ path: [index, ...path], message })));
      const message = complaint(schema, items);
      return message ? [{ path: [], message }, ...inner] : inner;
    },
    at: (part) => items[part]?.field ?? null,
    parts: () => items.map(({ field }) => field),
  };
}
