// The charts of an episode: reward of each step, their sum, and how long each call took. Live, and drawn as SVG, so
// that themes and zoom are the browser's business. What is longer than the picture is wide is drawn by its extremes.

import { element, shape } from "./dom.js";
import { counted, duration, rounded, signed } from "./format.js";
import { bounds, decimate } from "./decimate.js";

const WIDTH = 320;
const HEIGHT = 120;
const PAD = 12;

const CHARTS = [
  { key: "rewards", title: "Reward per step", form: "bars", write: signed },
  { key: "totals", title: "Cumulative reward", form: "line", write: signed, fromZero: true },
  { key: "latencies", title: "Step latency", form: "line", write: duration, fromZero: true },
];

/**
 * @param {{onPick: function(number): void}} options called with the place of the record that was clicked
 * @returns {{element: HTMLElement, show: function(Object[], number): void}}
 */
export function createCharts({ onPick }) {
  const charts = CHARTS.map((chart) => createChart(chart, onPick));
  const empty = element("p.muted", {}, "Charts are drawn as soon as there is a step.");
  const host = element("div.charts", {}, empty, ...charts.map((chart) => chart.element));
  return {
    element: host,
    show(records, selected) {
      const series = seriesOf(records);
      empty.hidden = series.places.length > 0;
      for (const [place, chart] of charts.entries()) chart.show(series[CHARTS[place].key], series.places, selected);
    },
  };
}

/** The numbers of an episode's steps, and where each step is among the records. */
function seriesOf(records) {
  const series = { places: [], rewards: [], totals: [], latencies: [] };
  let total = 0;
  records.forEach((record, place) => {
    if (typeof record.reward === "number" && Number.isFinite(record.reward)) total += record.reward;
    if (record.kind !== "step") return;
    series.places.push(place);
    series.rewards.push(typeof record.reward === "number" ? record.reward : NaN);
    series.totals.push(total);
    series.latencies.push(record.latencyMs ?? NaN);
  });
  return series;
}

function createChart({ title, form, write, fromZero }, onPick) {
  const readout = element("output.readout");
  const drawing = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const top = element("span.axis.high");
  const bottom = element("span.axis.low");
  const plot = element("div.plot", {}, drawing, top, bottom);
  const host = element(
    "figure.chart",
    { hidden: true },
    element("figcaption", {}, element("span", {}, title), readout),
    plot,
  );
  let values = [];
  let places = [];
  let chosen = -1;

  const x = (step) => PAD + (values.length < 2 ? 0.5 : step / (values.length - 1)) * (WIDTH - 2 * PAD);

  function draw() {
    const range = bounds(values, form === "bars" || fromZero);
    const y = (value) => HEIGHT - PAD - ((value - range.low) / (range.high - range.low)) * (HEIGHT - 2 * PAD);
    const points = decimate(values, WIDTH);
    const zero = y(Math.max(range.low, Math.min(0, range.high)));
    drawing.replaceChildren(shape("line", { class: "zero", x1: 0, x2: WIDTH, y1: zero, y2: zero }));
    if (form === "bars") drawing.append(...bars(points, x, y, zero, values.length));
    else drawing.append(...line(points, x, y));
    if (chosen >= 0) {
      drawing.append(shape("line", { class: "chosen", x1: x(chosen), x2: x(chosen), y1: 0, y2: HEIGHT }));
    }
    top.textContent = write(range.high);
    bottom.textContent = write(range.low);
    const now = chosen >= 0 ? chosen : values.length - 1;
    readout.textContent = `step ${now + 1}: ${Number.isNaN(values[now]) ? "none" : write(values[now])}`;
    drawing.setAttribute("aria-label", describe(title, values, write));
  }

  function stepAt(event) {
    const box = drawing.getBoundingClientRect();
    const across = ((event.clientX - box.left) / box.width) * WIDTH;
    const step = Math.round(((across - PAD) / (WIDTH - 2 * PAD)) * (values.length - 1));
    return Math.max(0, Math.min(step, values.length - 1));
  }

  plot.addEventListener("pointermove", (event) => {
    const step = stepAt(event);
    readout.textContent = `step ${step + 1}: ${Number.isNaN(values[step]) ? "none" : write(values[step])}`;
  });
  plot.addEventListener("pointerleave", () => values.length && draw());
  plot.addEventListener("click", (event) => onPick(places[stepAt(event)]));

  return {
    element: host,
    show(given, at, selected) {
      values = given;
      places = at;
      chosen = at.indexOf(selected);
      host.hidden = !given.length;
      if (given.length) draw();
    },
  };
}

function bars(points, x, y, zero, count) {
  const width = Math.max(1, Math.min(18, ((WIDTH - 2 * PAD) / count) * 0.7));
  const ways = { good: "", bad: "" };
  for (const { step, value } of points) {
    if (!Number.isFinite(value)) continue;
    const height = Math.abs(y(value) - zero) || 1;
    const from = value >= 0 ? zero - height : zero;
    ways[value >= 0 ? "good" : "bad"] +=
      `M${round(x(step) - width / 2)} ${round(from)}h${round(width)}v${round(height)}h${round(-width)}z`;
  }
  return Object.entries(ways).map(([kind, d]) => shape("path", { class: `fill ${kind}`, d }));
}

function line(points, x, y) {
  let d = "";
  for (const { step, value } of points) {
    if (Number.isFinite(value)) d += `${d ? "L" : "M"}${round(x(step))} ${round(y(value))}`;
  }
  const made = [shape("path", { class: "stroke", d })];
  if (points.length <= 40) {
    const dots = points.filter(({ value }) => Number.isFinite(value));
    made.push(
      shape("path", {
        class: "dots",
        d: dots.map(({ step, value }) => `M${round(x(step))} ${round(y(value))}h0`).join(""),
      }),
    );
  }
  return made;
}

function describe(title, values, write) {
  const known = values.filter(Number.isFinite);
  if (!known.length) return `${title}: no numbers.`;
  const { low, high } = bounds(known, false, 0);
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const spread = `lowest ${write(low)}, highest ${write(high)}, mean ${rounded(mean)}`;
  return `${title}: ${counted(values.length, "step")}, ${spread}, last ${write(known.at(-1))}.`;
}

const round = (number) => Math.round(number * 10) / 10;
