// One record in full: what came of it, why the reward, what was sent and what came back.

import { button, copyButton, element } from "./dom.js";
import { counted, duration, signed, tone } from "./format.js";
import { formatJson } from "./json.js";
import { createFrame } from "./view.js";
import { rewardParts } from "./reward.js";
import { viewValue } from "./value.js";
import { differences, writePath } from "./difference.js";

const TITLES = { reset: "Reset", state: "State", tool: "Tool call" };

/**
 * @param {HTMLElement} host
 * @param {{schemas: Object, onMove: function(number): void, onReset: function(): void}} options
 */
export function createDetail(host, { schemas, onMove, onReset }) {
  const head = element("div.detail-head");
  const top = element("div.detail-top");
  const frame = createFrame();
  const body = element("div.detail-body");
  host.replaceChildren(head, top, frame.element, body);

  return {
    /**
     * @param {Object} record
     * @param {{place: number, count: number, cumulative: number, isLast: boolean, steps: number}} context
     */
    show(record, context) {
      // A screen reader's or keyboard's place must not be lost with the button it was on.
      const focused = document.activeElement?.dataset?.move;
      head.replaceChildren(...heading(record, context, onMove));
      if (focused) head.querySelector(`[data-move="${focused}"]:not(:disabled)`)?.focus();
      top.replaceChildren(...outcome(record, context, onReset));
      frame.show(record.view?.html ?? null);
      body.replaceChildren(...parts(record, schemas));
    },
  };
}

function heading(record, { place, count, steps }, onMove) {
  const title = record.kind === "step" ? `Step ${steps}` : (TITLES[record.kind] ?? record.kind);
  const move = (by, label, sign, disabled) => {
    const made = element("button.icon.small", { type: "button", "aria-label": label, disabled, "data-move": by }, sign);
    made.addEventListener("click", () => onMove(by));
    return made;
  };
  return [
    element("h2", {}, title),
    element("span.muted.small", {}, [duration(record.latencyMs), clock(record.at)].filter(Boolean).join(" · ")),
    element(
      "div.pager",
      {},
      move(-1, "The one before", "←", place <= 0),
      element("span.muted.small.mono", {}, `${place + 1} / ${count}`),
      move(1, "The next one", "→", place >= count - 1),
    ),
  ];
}

function outcome(record, context, onReset) {
  const made = [];
  if (record.error) made.push(faultBox(record.error));
  if (record.kind !== "tool" && !record.error) made.push(rewardLine(record, context));
  if (record.done || record.truncated) made.push(endBox(record, context, onReset));
  if (record.differences) made.push(comparison(record.differences));
  made.push(...rewardParts(record).map(partsTable));
  return made;
}

function rewardLine(record, { cumulative }) {
  const none = record.reward === null || record.reward === undefined;
  return element(
    "dl.reward",
    {},
    element(
      "div",
      {},
      element("dt", {}, "Reward"),
      element(`dd.${tone(record.reward)}`, {}, none ? "none given" : signed(record.reward)),
    ),
    element("div", {}, element("dt", {}, "Total so far"), element(`dd.${tone(cumulative)}`, {}, signed(cumulative))),
    element(
      "div",
      {},
      element("dt", {}, "Episode"),
      element("dd.plain", {}, record.truncated ? "cut off" : record.done ? "over" : "goes on"),
    ),
  );
}

function endBox(record, { steps, cumulative, isLast }, onReset) {
  const what = record.truncated ? "The episode was cut off (truncated)" : "The episode is done";
  const made = element(
    "div.end",
    {},
    element(
      "p",
      {},
      element("strong", {}, what),
      ` after ${counted(steps, "step")}, with a total reward of ${signed(cumulative)}.`,
    ),
  );
  if (isLast) made.append(button("Reset", onReset, "primary"));
  return made;
}

function faultBox(error) {
  const { code, message, ...rest } = error;
  const made = element(
    "div.fault-box",
    {},
    element("p", {}, element("strong.mono", {}, code ?? "error")),
    element("p", {}, element("bdi", {}, message || "The call failed.")),
  );
  delete rest.endsSession;
  if (Object.keys(rest).length) made.append(viewValue(rest, {}));
  return made;
}

function comparison(found) {
  if (!found.length) return element("p.same", {}, "Same outcome as in the recording.");
  const shown = found
    .slice(0, 10)
    .map(({ path, before, after }) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, element("bdi", {}, writePath(path))),
        element("td", {}, element("bdi", {}, short(before))),
        element("td", {}, element("bdi", {}, short(after))),
      ),
    );
  return element(
    "div.differs",
    {},
    element(
      "p",
      {},
      element("strong", {}, "Differs from the recording"),
      found.length > 10 ? ` in ${found.length} or more places` : "",
    ),
    element(
      "table",
      {},
      element(
        "thead",
        {},
        element("tr", {}, ...["Where", "Recorded", "Now"].map((name) => element("th", { scope: "col" }, name))),
      ),
      element("tbody", {}, ...shown),
    ),
  );
}

function short(value) {
  if (value === undefined) return "not there";
  const text = typeof value === "number" && !Number.isFinite(value) ? String(value) : formatJson(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function partsTable({ name, parts }) {
  const size = Math.max(...parts.map(({ value }) => Math.abs(value)).filter(Number.isFinite), 0) || 1;
  const rows = parts.map((part) => {
    const bar = element(`span.part-bar.${tone(part.value)}`, { "aria-hidden": "true" });
    bar.style.width = `${Math.min(100, (Math.abs(part.value) / size) * 100) || 0}%`;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, element("bdi", {}, part.name)),
      element("td.part-track", {}, bar),
      element(`td.number.${tone(part.value)}`, {}, signed(part.value)),
    );
  });
  return element(
    "div.parts",
    {},
    element("h3", {}, "Why this reward ", element("span.muted.mono", {}, name)),
    element("table", { "aria-label": `Parts of the reward: ${name}` }, element("tbody", {}, ...rows)),
  );
}

function parts(record, schemas) {
  const made = [];
  const isTool = record.kind === "tool";
  if (record.observation !== null && record.observation !== undefined) {
    made.push(
      section(
        isTool ? "Result" : "Observation",
        isTool ? toolText(record.observation) : record.observation,
        isTool ? {} : { schema: schemas.observation },
      ),
    );
  }
  const request = isTool ? record.request.arguments : record.request;
  const label =
    { reset: "Reset options", step: "Action", tool: `Arguments of ${record.request?.name}` }[record.kind] ?? "Request";
  const isEmpty = !request || !Object.keys(request).length;
  if (record.kind !== "reset" || !isEmpty)
    made.push(section(label, request ?? {}, { schema: record.kind === "step" ? schemas.action : undefined }));
  // Metadata that the observation holds is shown with it.
  const isSaid = isTool || differences(record.observation?.metadata, record.metadata, 1).length === 0;
  if (hasContent(record.metadata) && !isSaid) made.push(section("Metadata", record.metadata, {}));
  return made;
}

function section(title, value, options) {
  return element(
    "section.value-section",
    {},
    element(
      "div.row-between",
      {},
      element("h3", {}, title),
      copyButton("Copy JSON", () => formatJson(value, 2)),
    ),
    viewValue(value, options),
  );
}

/** What a tool said, where it said nothing but text. */
function toolText(result) {
  const content = result?.content;
  const isText = Array.isArray(content) && content.length > 0 && content.every((part) => part?.type === "text");
  return isText ? content.map(({ text }) => text).join("\n") : result;
}

const hasContent = (value) => value !== null && typeof value === "object" && Object.keys(value).length > 0;
const clock = (at) => (at && !Number.isNaN(Date.parse(at)) ? new Date(at).toLocaleTimeString() : "");
