// The Schema tab: what an action, an observation, the state and a reset look like, as JSON schema.

import { copyButton, element, outLink } from "./dom.js";
import { formatJson } from "./json.js";
import { viewValue } from "./value.js";

const PARTS = [
  ["action", "Action"],
  ["observation", "Observation"],
  ["state", "State"],
  ["reset", "Reset options"],
];

/** @param {Object} schemas the answer of `/schema` @returns {Node} */
export function createSchemaPanel(schemas) {
  const known = PARTS.filter(([key]) => schemas[key]);
  return element(
    "div.stack",
    {},
    ...known.map(([key, title]) => part(title, schemas[key])),
    element("p.small", {}, outLink("schema", "All of it as JSON ↗")),
  );
}

function part(title, schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const isNeeded = schema.required?.includes(name);
    return element(
      "tr",
      {},
      element(
        "th.mono",
        { scope: "row" },
        element("bdi", {}, name),
        isNeeded ? element("span.needed", { title: "required" }, " *") : null,
      ),
      element(
        "td",
        {},
        element("span.mono.muted", {}, typeName(field)),
        field.description ? element("div.small", {}, element("bdi", {}, field.description)) : null,
      ),
    );
  });
  const table = rows.length
    ? element("table.field-table", {}, element("tbody", {}, ...rows))
    : element("p.muted.small", {}, "No fields.");
  return element(
    "section",
    {},
    element(
      "div.row-between",
      {},
      element("h3", {}, title),
      copyButton("Copy JSON", () => formatJson(schema, 2)),
    ),
    table,
    element("details.fold", {}, element("summary", {}, "JSON schema"), viewValue(schema, {})),
  );
}

/** The type of a field in a few words: "integer", "string | null", "array of number". */
function typeName(field) {
  if (field.const !== undefined) return formatJson(field.const);
  if (field.enum) return field.enum.map((value) => formatJson(value)).join(" | ");
  if (field.$ref) return field.$ref.split("/").at(-1);
  const branches = field.anyOf ?? field.oneOf;
  if (branches) return branches.map(typeName).join(" | ");
  if (field.type === "array") return field.items ? `array of ${typeName(field.items)}` : "array";
  return Array.isArray(field.type) ? field.type.join(" | ") : (field.type ?? "anything");
}
