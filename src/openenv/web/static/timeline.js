// The list of an episode's records. Only the rows that can be seen exist, so that ten thousand steps are as quick as
// ten. It is a listbox: arrow keys, Home and End move the selection, and the newest record is followed until an older
// one gets selected.

import { element } from "./dom.js";
import { brief, pairs, duration, signed, tone } from "./format.js";

const ROW_PX = 38;
const SPARE = 6; // rows beyond the edge, for scrolling
const HIGHEST_PX = 15_000_000; // browsers cut off boxes that are much higher
const KINDS = { reset: "Reset", state: "State", tool: "Tool" };

/**
 * @param {{onSelect: function(number): void, ordinalOf: function(number): number}} options `ordinalOf` tells which step
 *   the record at a place is
 * @returns {{element: HTMLElement, show: function(Object[]): void, select: function(number): void,
 *   move: function(number): void, selected: number}}
 */
export function createTimeline({ onSelect, ordinalOf }) {
  const rows = new Map(); // by the place of their record
  const spacer = element("div.timeline-space", { role: "presentation" });
  const list = element("div.timeline", { role: "listbox", tabindex: 0, "aria-label": "Steps of the episode" }, spacer);
  let records = [];
  let selected = -1;
  let drawing = 0;

  const step = () => Math.min(ROW_PX, HIGHEST_PX / Math.max(records.length, 1));

  function draw() {
    drawing = 0;
    const height = step();
    spacer.style.height = `${records.length * height}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / height) - SPARE);
    const last = Math.min(records.length, Math.ceil((list.scrollTop + list.clientHeight) / height) + SPARE);
    for (const [place, row] of rows) {
      if (place < first || place >= last) {
        row.remove();
        rows.delete(place);
      }
    }
    for (let place = first; place < last; place += 1) {
      let row = rows.get(place);
      if (!row) {
        row = element("div.row", { role: "option", id: `row-${place}`, "data-place": place });
        rows.set(place, row);
        spacer.append(row);
      }
      row.style.transform = `translateY(${place * height}px)`;
      fill(row, place);
    }
    list.setAttribute("aria-activedescendant", rows.has(selected) ? `row-${selected}` : "");
  }

  function fill(row, place) {
    const record = records[place];
    row.setAttribute("aria-selected", String(place === selected));
    row.setAttribute("aria-setsize", String(records.length));
    row.setAttribute("aria-posinset", String(place + 1));
    const key = [record.error, record.done, record.truncated, record.differences?.length].join();
    if (row.record === record && row.key === key) return;
    row.record = record;
    row.key = key;
    row.replaceChildren(...cells(record, ordinalOf(place)));
    row.classList.toggle("faulty", Boolean(record.error));
  }

  function later() {
    if (!drawing) drawing = requestAnimationFrame(draw);
  }

  function reveal() {
    const top = selected * step();
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW_PX > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW_PX - list.clientHeight;
  }

  function select(place) {
    if (!records.length) return;
    selected = Math.max(0, Math.min(place, records.length - 1));
    spacer.style.height = `${records.length * step()}px`;
    reveal();
    later();
    onSelect(selected);
  }

  const keys = {
    ArrowDown: () => select(selected + 1),
    ArrowUp: () => select(selected - 1),
    PageDown: () => select(selected + Math.floor(list.clientHeight / ROW_PX)),
    PageUp: () => select(selected - Math.floor(list.clientHeight / ROW_PX)),
    Home: () => select(0),
    End: () => select(records.length - 1),
  };
  list.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (row) select(Number(row.dataset.place));
  });
  list.addEventListener("scroll", later, { passive: true });
  new ResizeObserver(later).observe(list);

  return {
    element: list,
    /** Show these records; the newest is selected unless the visitor looks at another. */
    show(given) {
      const follows = given !== records || selected >= records.shown - 1;
      if (given !== records) {
        rows.forEach((row) => row.remove());
        rows.clear();
        list.scrollTop = 0;
      }
      records = given;
      records.shown = given.length;
      if (follows) select(given.length - 1);
      later();
    },
    select,
    move: (by) => select(selected + by),
    get selected() {
      return selected;
    },
  };
}

function cells(record, ordinal) {
  const isStep = record.kind === "step";
  const request = record.request ?? {};
  const said =
    record.kind === "tool"
      ? `${request.name} ${brief(request.arguments ?? {})}`
      : isStep
        ? brief(request)
        : pairs(request);
  const flags = [];
  if (record.error) flags.push(element("span.tag.bad", {}, record.error.code ?? "error"));
  if (record.differences?.length) flags.push(element("span.tag.warn", {}, "≠ differs"));
  if (record.truncated) flags.push(element("span.tag.accent", {}, "truncated"));
  else if (record.done) flags.push(element("span.tag.accent", {}, "done"));
  return [
    element("span.row-index", {}, isStep ? String(ordinal) : ""),
    element("span.row-kind", {}, isStep ? "" : (KINDS[record.kind] ?? record.kind)),
    element("bdi.row-text", {}, said || (isStep ? "{}" : "")),
    ...flags,
    element(`span.row-reward.${tone(record.reward)}`, {}, record.reward == null ? "" : signed(record.reward)),
    element("span.row-latency", {}, duration(record.latencyMs)),
  ];
}
