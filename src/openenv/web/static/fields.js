// The widgets of values without parts: text, numbers, yes or no, a choice, a fixed value, and JSON for everything else.

import { choiceComplaint, complaint, same } from "./check.js";
import { element } from "./dom.js";
import { formatJson, parseJson } from "./json.js";

const LONG_NAME = new RegExp(
  "(^|_)(answer|body|code|content|description|html|instructions?|markdown|patch|program|prompt|query|response|script"
  + "|source|sql|text)$",
  "i",
);
const LONG_FORMAT = /^(multi-?line|textarea|markdown|html|code)$/;
const EXAMPLES = {
  date: "2026-01-31", time: "12:30:00", "date-time": "2026-01-31T12:30:00Z", uri: "https://", email: "name@host",
};
const LONG_TEXT = 200;

function attributes(plan, { id, name, describedBy }) {
  const isRequired = plan.required && !plan.canBeUnset && plan.kind !== "text";
  return { id, name, "aria-describedby": describedBy, "aria-required": isRequired ? "true" : null };
}

/** Whether a text is likely to have lines. */
function isMultiline({ format = "", contentMediaType = "", maxLength = 0, description = "" }, name = "") {
  return LONG_FORMAT.test(format) || contentMediaType.startsWith("text/") || maxLength > LONG_TEXT
    || LONG_NAME.test(name) || /multi-?line|several lines|multiple lines/i.test(description);
}

/**
 * Remember a value beside what the control shows of it: controls change what they are given (line ends, digits), and a
 * value that nobody touched must come out as it went in.
 */
function remembering(control, read) {
  let kept = null;
  return {
    get: () => (kept && kept.shown === control.value ? kept.value : read(control.value)),
    keep: (value, text) => {
      control.value = text;
      kept = { value, shown: control.value };
    },
  };
}

/** A text. Empty is "not set" where that is possible. */
export function textWidget(plan, context, settings) {
  const { schema, canBeUnset, unset } = plan;
  const isLong = isMultiline(schema, settings.label);
  const placeholder = canBeUnset ? "not set" : (schema.examples?.[0] ?? EXAMPLES[schema.format] ?? null);
  const shared = { ...attributes(plan, settings), readonly: schema.readOnly, placeholder, oninput: context.changed };
  const control = schema.format === "password"
    ? element("input", { ...shared, type: "password", autocomplete: "off" })
    : element("textarea", {
      ...shared, rows: isLong ? 4 : 1, "data-lines": isLong ? "many" : "one", spellcheck: "false",
    });
  const memory = remembering(control, (text) => (text === "" && canBeUnset ? unset : text));
  return {
    element: control,
    control,
    get: memory.get,
    set(value) {
      if (value === undefined) memory.keep(canBeUnset ? unset : "", "");
      else if (typeof value === "string") memory.keep(value, value);
      else return false;
      control.placeholder = value === "" ? "empty text" : (placeholder ?? "");
      return true;
    },
    errors() {
      const value = memory.get();
      const message = typeof value === "string" ? complaint(schema, value) : null;
      return message ? [{ path: [], message }] : [];
    },
  };
}

/** A number. Integers that are too long for a number are BigInt. */
export function numberWidget(plan, context, settings) {
  const { schema, canBeUnset, required, unset } = plan;
  const isInteger = schema.type === "integer";
  const control = element("input", {
    ...attributes(plan, settings), type: "number", readonly: schema.readOnly, oninput: context.changed,
    min: schema.minimum ?? schema.exclusiveMinimum, max: schema.maximum ?? schema.exclusiveMaximum,
    step: schema.multipleOf ?? (isInteger ? 1 : "any"), placeholder: canBeUnset ? "not set" : null,
    inputmode: isInteger && schema.minimum >= 0 ? "numeric" : "decimal",
  });
  const memory = remembering(control, readNumber);
  return {
    element: control,
    control,
    get: () => (control.value === "" ? unset : memory.get()),
    set(value) {
      if (value === undefined) memory.keep(unset, "");
      else if (typeof value !== "bigint" && typeof value !== "number") return false;
      else memory.keep(value, String(value));
      return value === undefined || control.value !== ""; // the control drops what is larger than a double
    },
    errors() {
      if (control.validity.badInput) return [{ path: [], message: `Input should be a valid ${schema.type}` }];
      if (control.value === "") return required && !canBeUnset ? [{ path: [], message: "Field required" }] : [];
      const message = complaint(schema, memory.get());
      return message ? [{ path: [], message }] : [];
    },
  };
}

function readNumber(text) {
  const number = Number(text);
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(number) ? BigInt(text) : number;
}

/** Yes or no: a box to tick, or a choice of three where it may be left unset. */
export function booleanWidget(plan, context, settings) {
  if (plan.canBeUnset) {
    return choice(plan, context, settings, [[true, "true"], [false, "false"]]);
  }
  const { schema } = plan;
  const control = element("input", {
    ...attributes(plan, settings), "aria-required": null, type: "checkbox", disabled: schema.readOnly,
    onchange: context.changed,
  });
  return {
    element: control,
    control,
    get: () => control.checked,
    set(value) {
      if (value !== undefined && typeof value !== "boolean") return false;
      control.checked = value === true;
      return true;
    },
    errors: () => [],
  };
}

/** One of a few values. */
export function enumWidget(plan, context, settings) {
  const shown = (value) => (typeof value === "string" ? value : formatJson(value));
  return choice(plan, context, settings, plan.schema.enum.map((value) => [value, shown(value)]));
}

function choice(plan, context, settings, options) {
  const { schema, canBeUnset, required, unset } = plan;
  const control = element("select", {
    ...attributes(plan, settings), disabled: schema.readOnly, onchange: context.changed,
  });
  if (canBeUnset || options.length > 1) control.add(new Option(canBeUnset ? "not set" : "choose …", ""));
  options.forEach(([, text], index) => control.add(new Option(text, String(index))));
  return {
    element: control,
    control,
    get: () => (control.value === "" ? unset : options[Number(control.value)][0]),
    set(value) {
      const index = options.findIndex(([one]) => same(one, value));
      if (value !== undefined && index < 0) return false;
      control.value = value !== undefined ? String(index) : control.options[0].value;
      return true;
    },
    errors() {
      if (control.value !== "" || canBeUnset) return [];
      return [{ path: [], message: required ? "Field required" : choiceComplaint(options.map(([value]) => value)) }];
    },
  };
}

/** A value that cannot be another. */
export function constWidget({ schema }, context, { id, describedBy }) {
  const value = schema.const ?? null;
  const text = typeof value === "string" ? value : formatJson(value);
  const control = element("output.field-const", { id, "aria-describedby": describedBy }, text);
  return {
    element: control,
    control,
    get: () => value,
    set: (given) => given === undefined || same(given, value),
    errors: () => [],
  };
}

/** Anything, as JSON text. */
export function jsonWidget(plan, context, settings) {
  const { schema, canBeUnset, required, unset } = plan;
  const label = settings.isStandIn ? { "aria-label": `${settings.label}, as JSON` } : {};
  const control = element("textarea", {
    ...attributes(plan, settings), ...label, rows: 4, "data-lines": "many", class: "json", spellcheck: "false",
    readonly: schema.readOnly, placeholder: canBeUnset ? "not set; JSON" : "JSON", oninput: context.changed,
  });
  const memory = remembering(control, (text) => {
    if (text.trim() === "") return unset;
    try {
      return parseJson(text);
    } catch {
      return text; // `errors` says what is wrong with it
    }
  });
  return {
    element: control,
    control,
    get: memory.get,
    set(value) {
      memory.keep(value === undefined ? unset : value, value === undefined ? "" : formatJson(value, 2));
      return true;
    },
    errors() {
      if (control.value.trim() === "") return required && !canBeUnset ? [{ path: [], message: "Field required" }] : [];
      try {
        parseJson(control.value);
        return [];
      } catch (error) {
        return [{ path: [], message: `This is not JSON: ${error.message}` }];
      }
    },
    at: () => null,
  };
}
