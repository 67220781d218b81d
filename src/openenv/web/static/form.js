// A form for a JSON schema: fields, the same as JSON text, and errors where they belong.

import { element } from "./dom.js";
import { createField } from "./field.js";
import { ELSEWHERE } from "./fields-union.js";
import { formatJson, parseJson } from "./json.js";
import { isChat } from "./schema.js";

let forms = 0;

/**
 * Make a form.
 *
 * Enter in a line of text or a number submits; where a text has several lines, Ctrl+Enter does, and in a form that is
 * one text (`isChat`) Enter again, with Shift+Enter for another line. A form with errors shows them in place of
 * submitting; in JSON mode only what is no JSON holds it back.
 *
 * @param {object} schema
 * @param {{idPrefix?: string, onSubmit?: (value: *) => void, onChange?: () => void}} [options]
 */
export function createForm(schema, { idPrefix = `form${++forms}`, onSubmit = () => {}, onChange = () => {} } = {}) {
  return new Form(schema, { idPrefix, onSubmit, onChange });
}

class Form {
  #mode = "form";
  #schema;
  #onSubmit;
  #root;
  #json;
  #jsonPart;
  #general;

  constructor(schema, { idPrefix, onSubmit, onChange }) {
    let used = 0;
    const nextId = () => `${idPrefix}-${++used}`;
    const context = { root: schema, nextId, changed: onChange, create: createField };
    this.#schema = schema;
    this.#onSubmit = onSubmit;
    this.#root = createField(schema, context, { label: "fields", bare: true, isRoot: true });
    this.#json = element("textarea.json", {
      id: `${idPrefix}-json`, rows: 10, spellcheck: "false", "data-lines": "many",
      oninput: () => {
        this.#say("");
        onChange();
      },
      "aria-describedby": `${idPrefix}-general`,
    });
    const label = element("label.field-label", { for: `${idPrefix}-json` }, "JSON");
    this.#jsonPart = element("div.field", { hidden: true }, label, this.#json);
    this.#general = element("p.field-error", { id: `${idPrefix}-general`, role: "alert", hidden: true });
    this.element = element("div.form", {}, this.#root.element, this.#jsonPart, this.#general);
    if (isChat(schema)) this.element.dataset.chat = "";
    this.element.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /**
   * Read the form.
   * @returns {{value: *, errors: {path: (string|number)[], message: string}[]}}
   */
  value() {
    if (this.#mode === "form") return { value: this.#root.get() ?? {}, errors: this.#root.errors() };
    try {
      return { value: parseJson(this.#json.value), errors: [] };
    } catch (error) {
      return { value: this.#json.value, errors: [{ path: [], message: `This is not JSON: ${error.message}` }] };
    }
  }

  /** Fill in a value; undefined makes it as new. @param {*} value */
  set(value) {
    this.clearErrors();
    this.#root.set(value);
    if (this.#mode === "json") this.#json.value = formatJson(value ?? this.#root.get() ?? {}, 2);
  }

  /**
   * Show errors where they belong, and go to the first.
   * @param {{loc?: (string|number)[], path?: (string|number)[], msg?: string, message?: string}[]} errors
   */
  showErrors(errors) {
    this.clearErrors();
    const plain = errors.map(({ loc = [], path = loc, msg = "", message = msg }) => ({ path, message }));
    if (this.#mode === "json") {
      const lines = plain.map(({ path, message }) => (path.length ? `${path.join(".")}: ${message}` : message));
      this.#say(lines.join("\n"));
      return;
    }
    const shown = new Set();
    const elsewhere = new Map();
    for (const { path, message } of plain) {
      const { field, rest, union } = this.#locate(path);
      if (union) elsewhere.set(message, union);
      else shown.add(this.#show(field, rest, message));
    }
    for (const [message, union] of elsewhere) {
      const isTold = [...shown].some((field) => union.element.contains(field.element));
      if (!isTold) shown.add(this.#show(union, [], message));
    }
    [...shown].find((field) => field !== this.#root)?.focus();
  }

  /** Take all errors away. */
  clearErrors() {
    this.#root.clearAll();
    this.#say("");
  }

  /** Show what is wrong, if anything is. @returns {boolean} Whether all is well. */
  validate() {
    const { errors } = this.value();
    this.showErrors(errors);
    return errors.length === 0;
  }

  /** Go to the first field. */
  focus() {
    if (this.#mode === "json") this.#json.focus();
    else this.#root.focus();
  }

  /**
   * Show fields or JSON text, with the same value; say which is shown.
   * @param {"form"|"json"} [wanted]
   * @returns {"form"|"json"} JSON still, if its text cannot be read.
   */
  mode(wanted = this.#mode) {
    if (wanted === this.#mode) return this.#mode;
    const { value, errors } = this.value();
    if (wanted === "form") {
      if (errors.length) {
        this.showErrors(errors);
        return this.#mode;
      }
      this.#root.set(value);
    } else {
      this.#json.value = formatJson(value, 2);
    }
    this.clearErrors();
    this.#mode = wanted;
    this.#root.element.hidden = wanted === "json";
    this.#jsonPart.hidden = wanted === "form";
    return this.#mode;
  }

  /** Submit as Enter does. */
  submit() {
    if (this.validate()) this.#onSubmit(this.value().value);
  }

  #locate(path) {
    let field = this.#root;
    for (const [index, part] of path.entries()) {
      const next = field.at(part);
      if (next === ELSEWHERE) return { union: field };
      if (next === null) return { field, rest: path.slice(index) };
      field = next;
    }
    return { field, rest: [] };
  }

  #show(field, rest, message) {
    const text = rest.length ? `${rest.join(".")}: ${message}` : message;
    if (field === this.#root) this.#say(this.#general.hidden ? text : `${this.#general.textContent}\n${text}`);
    else field.show(text);
    return field;
  }

  #say(text) {
    this.#json.setAttribute("aria-invalid", String(text !== "" && this.#mode === "json"));
    this.#general.textContent = text;
    this.#general.hidden = text === "";
  }

  #pressed(event) {
    if (event.key !== "Enter" || event.isComposing) return;
    const { target } = event;
    if (!target.matches("textarea, input") || target.matches(".item-key")) return;
    const isLong = target.dataset.lines === "many" && !(isChat(this.#schema) && this.#mode === "form");
    const wanted = isLong ? event.ctrlKey || event.metaKey : !event.shiftKey;
    if (!wanted) return;
    event.preventDefault();
    this.submit();
  }
}
