// The State panel: what the environment says its state is, read after each call, with what changed marked.

import { button, copyButton, element } from "./dom.js";
import { differences, writePath } from "./difference.js";
import { visible } from "./format.js";
import { formatJson } from "./json.js";
import { viewValue } from "./value.js";

/**
 * @param {{reads: boolean, onSwitch: function(boolean): void, onRefresh: function(): void, schema: Object}} options
 * @returns {{element: HTMLElement, show: function(?Object, ?Object): void}}
 */
export function createStatePanel({ reads, onSwitch, onRefresh, schema }) {
  const box = element("input", { type: "checkbox", id: "reads-state", checked: reads });
  box.addEventListener("change", () => onSwitch(box.checked));
  const head = element(
    "div.row-between",
    {},
    element("label.check", { for: "reads-state" }, box, " Read after each call"),
    button("Refresh", onRefresh, "quiet"),
  );
  const content = element("div.state");
  return {
    element: element("div.stack", {}, head, content),
    /** Show the state after a record, against the state before it. */
    show(record, before) {
      content.replaceChildren(
        ...(record
          ? shown(record, before, schema)
          : [element("p.muted", {}, "The state is shown after the first reset.")]),
      );
    },
  };
}

function shown(record, before, schema) {
  const { state } = record;
  if (state === null || state === undefined) {
    const why = record.stateFault
      ? `The state could not be read: ${record.stateFault}`
      : "It was not read after this call.";
    return [element("p.muted", {}, why)];
  }
  const changes = before ? differences(before, state, 200) : [];
  const byKey = grouped(changes);
  const rows = Object.entries(state).map(([key, value]) => row(key, value, byKey.get(key) ?? []));
  for (const { path, before: was } of changes) {
    if (path.length === 1 && !Object.hasOwn(state, path[0])) rows.push(goneRow(path[0], was));
  }
  const summary = before
    ? changes.length
      ? `${changes.length} changed since the call before`
      : "Nothing changed since the call before"
    : "First state of the episode";
  return [
    element("p.muted.small", {}, summary),
    element("table.state-table", { "aria-label": "State" }, element("tbody", {}, ...rows)),
    element(
      "details.fold",
      {},
      element("summary", {}, "As JSON"),
      copyButton("Copy JSON", () => formatJson(state, 2)),
      viewValue(state, { schema }),
    ),
  ];
}

function row(key, value, changes) {
  const cell = element("td", {}, isPlain(value) ? element("bdi.mono", {}, plain(value)) : viewValue(value, {}));
  for (const { path, before, after } of changes.slice(0, 6)) {
    const where = path.length > 1 ? `${writePath(path.slice(1))}: ` : "";
    const now = path.length > 1 ? `, now ${plain(after)}` : "";
    cell.append(element("div.was", {}, element("bdi", {}, `${where}was ${plain(before)}${now}`)));
  }
  const made = element("tr", {}, element("th", { scope: "row" }, element("bdi", {}, visible(key))), cell);
  if (changes.length) made.classList.add("changed");
  return made;
}

const goneRow = (key, was) =>
  element(
    "tr.changed",
    {},
    element("th", { scope: "row" }, element("bdi", {}, visible(key))),
    element("td", {}, element("div.was", {}, `gone, was ${plain(was)}`)),
  );

function plain(value) {
  if (value === undefined) return "not there";
  const text =
    typeof value === "string"
      ? visible(value.slice(0, 400))
      : typeof value === "object"
        ? formatJson(value)
        : String(value);
  return text.length > 160 ? `${text.slice(0, 160)}…` : text || '""';
}

const isPlain = (value) => value === null || (typeof value !== "object" && String(value).length <= 160);

function grouped(changes) {
  const groups = new Map();
  for (const change of changes) groups.set(change.path[0], [...(groups.get(change.path[0]) ?? []), change]);
  return groups;
}
