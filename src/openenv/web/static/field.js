// One field of a form: a label, a widget for the kind of value, a hint, and room for an error.
//
// A widget is {element, control, get, set, errors} and, if it has parts, {at, parts}. `get` gives undefined for a value
// that is left away; `set(undefined)` empties; `set` returns false for a value that the widget cannot show, and then a
// JSON field stands in for it. `control` is what the label belongs to; a group of fields has none.

import { arrayWidget } from "./fields-array.js";
import { objectWidget } from "./fields-object.js";
import { unionWidget } from "./fields-union.js";
import { booleanWidget, constWidget, enumWidget, jsonWidget, numberWidget, textWidget } from "./fields.js";
import { button, element } from "./dom.js";
import { whenReleased } from "./release.js";
import { describe, planOf } from "./schema.js";

const WIDGETS = {
  text: textWidget, number: numberWidget, boolean: booleanWidget, enum: enumWidget, const: constWidget,
  array: arrayWidget, object: objectWidget, map: objectWidget, union: unionWidget, json: jsonWidget,
};
const GROUPS = new Set(["array", "object", "map"]);
const DEEPEST = 12; // Required parts of a recursive schema are built at once; further down they are written as JSON.

/**
 * @typedef {object} Context What all fields of a form share.
 * @property {object} root The schema with the `$defs`.
 * @property {() => string} nextId
 * @property {() => void} changed To be called when a value changes.
 * @property {function} create `createField`, given to those that would import it in a circle.
 */

/**
 * Make a field.
 * @param {*} schema
 * @param {Context} context
 * @param {{label: string, name?: string, required?: boolean, bare?: boolean, depth?: number, isRoot?: boolean,
 *   hidden?: string}} options `bare` keeps the label for screen readers only; `hidden` names a part that is not shown.
 */
export function createField(schema, context, options) {
  const { label, name, required = true, bare = false, depth = 0, isRoot, hidden } = options;
  const plan = planOf(schema, context.root, required);
  const kind = depth > DEEPEST ? "json" : widgetKind(plan);
  const id = context.nextId();
  const settings = { id, label, name, depth, kind, isRoot, hidden, describedBy: `${id}-type ${id}-hint ${id}-error` };
  const native = WIDGETS[kind](plan, context, settings);
  const frame = frameOf(native, settings, { plan, root: context.root, bare });
  return new Field(native, frame, { plan, context, settings });
}

// Whatever has parts and may be unset is a choice between "not set" and them, as a union is.
function widgetKind(plan) {
  if (plan.kind === "json") return "json";
  return plan.canBeUnset && (GROUPS.has(plan.kind) || plan.kind === "const") ? "union" : plan.kind;
}

function frameOf(native, { id, label, kind, describedBy, isRoot }, { plan, root, bare }) {
  const isGroup = native.control === null;
  const name = isGroup
    ? element("span.field-label", { id: `${id}-label` }, label)
    : element("label.field-label", { id: `${id}-label`, for: id }, label);
  const type = element("span.field-type", { id: `${id}-type` }, describe(plan.schema, root));
  const head = element(bare ? "div.field-head.unseen" : "div.field-head", {}, name, type);
  const hint = element("p.field-hint", { id: `${id}-hint`, hidden: !plan.schema.description || isRoot });
  hint.textContent = plan.schema.description ?? "";
  const error = element("p.field-error", { id: `${id}-error`, hidden: true });
  const slot = element("div.field-body", {}, native.element);
  const group = isGroup ? { role: "group", "aria-labelledby": `${id}-label`, "aria-describedby": describedBy } : {};
  const whole = element("div.field", { ...group, "data-kind": kind }, head, hint, slot, error);
  if (plan.required && !plan.canBeUnset && plan.kind !== "const") whole.dataset.required = "";
  if (plan.schema.readOnly) whole.dataset.readonly = "";
  return { whole, name, slot, error };
}

class Field {
  constructor(native, frame, { plan, context, settings }) {
    this.plan = plan;
    this.element = frame.whole;
    this.frame = frame;
    this.native = native;
    this.widget = native;
    this.context = context;
    this.settings = settings;
    const initial = plan.schema.default;
    if (initial !== undefined && initial !== null) this.set(initial);
    frame.slot.addEventListener("input", (event) => this.edited(event));
    frame.slot.addEventListener("change", (event) => this.left(event));
  }

  /** The value; undefined if it is left away. */
  get() {
    return this.widget.get();
  }

  /** Show a value, as JSON if the form of this field has no place for it. */
  set(value) {
    this.clear();
    const fits = value === null && this.plan.canBeUnset ? this.native.set(undefined) : this.native.set(value);
    if (!fits) this.#standIn(value);
    else if (this.widget !== this.native) {
      this.widget = this.native;
      this.frame.slot.replaceChildren(this.native.element);
    }
  }

  #standIn(value) {
    const { plan, context, settings, native, frame } = this;
    native.set(undefined);
    this.widget = jsonWidget({ ...plan, kind: "json" }, context, { ...settings, isStandIn: true });
    this.widget.set(value);
    const back = button("Use the form (drops this value)", () => {
      this.set(undefined);
      this.focus();
      context.changed();
    }, "quiet");
    frame.slot.replaceChildren(this.widget.element, back);
  }

  /** What is wrong, by paths from here. */
  errors() {
    return this.widget.errors();
  }

  /** The part of this field that a piece of a `loc` names: this field if it has none, null if it is not shown. */
  at(part) {
    return this.widget.at ? this.widget.at(part) : this;
  }

  show(message) {
    const { error } = this.frame;
    error.textContent = error.hidden || !error.textContent ? message : `${error.textContent}\n${message}`;
    error.hidden = false;
    this.element.dataset.invalid = "";
    this.widget.control?.setAttribute("aria-invalid", "true");
  }

  clear() {
    this.frame.error.hidden = true;
    this.frame.error.textContent = "";
    delete this.element.dataset.invalid;
    this.widget.control?.removeAttribute("aria-invalid");
  }

  clearAll() {
    this.clear();
    for (const part of this.parts()) part.clearAll();
  }

  parts() {
    return this.widget.parts?.() ?? [];
  }

  focus() {
    const inside = this.element.querySelector("input:not([disabled]), textarea, select:not([disabled]), button");
    (this.widget.control ?? inside)?.focus();
  }

  relabel(label) {
    this.settings.label = label;
    this.frame.name.textContent = label;
  }

  edited(event) {
    if (event.target === this.widget.control) this.clear();
  }

  left(event) {
    if (event.target === this.widget.control) whenReleased(() => this.check());
  }

  check() {
    this.clear();
    for (const { path, message } of this.widget.errors()) if (!path.length) this.show(message);
  }
}
