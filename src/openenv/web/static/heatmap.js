// Numbers as a picture that is read by pointer and by arrow keys: heat maps, pictures, and plots of a list.

import { colours, heatPixels, picturePixels } from "./arrays.js";
import { decimate } from "./decimate.js";
import { element } from "./dom.js";

const LARGEST = 4_000_000; // cells
const WIDTH = 320; // pixels on the screen of a small map

/**
 * Draw an array.
 * @param {"plot"|"heatmap"|"picture"} view
 * @param {Array} value
 * @param {number[]} shape
 * @param {object} summary As of `summarise`.
 * @param {string} name
 * @returns {HTMLElement}
 */
export function viewNumbers(view, value, shape, summary, name) {
  if (summary.count > LARGEST) return element("p.muted", {}, "Too large to be drawn.");
  const columns = view === "plot" ? shape[0] : shape[1];
  const rows = view === "plot" ? 1 : shape[0];
  const words = { plot: "Plot", heatmap: "Heat map", picture: "Picture" }[view];
  const { min, max, mean } = summary;
  const label = `${words} of ${name}: ${shape.join(" by ")}, min ${short(min)}, max ${short(max)}, mean ${short(mean)}`;
  const canvas = element("canvas", { role: "img", tabindex: "0", "aria-label": `${label}. Arrow keys read it.` });
  const output = element("output.muted", {}, "Point at it, or use the arrow keys, to read values.");
  if (view === "plot") drawPlot(canvas, value, summary);
  else drawPixels(canvas, (view === "heatmap" ? heatPixels : picturePixels)(value, summary), columns, rows);
  const tell = ({ row, column }) => {
    const cell = view === "plot" ? value[column] : value[row][column];
    const where = view === "plot" ? `${column}` : `row ${row}, column ${column}`;
    output.textContent = `${where}: ${Array.isArray(cell) ? cell.join(", ") : cell}`;
  };
  followPointer(canvas, columns, rows, tell);
  const scale = view === "heatmap" ? scaleOf(summary) : null;
  return element("figure.numbers", {}, canvas, ...(scale ? [scale] : []), element("figcaption", {}, output));
}

function drawPixels(canvas, pixels, columns, rows) {
  canvas.width = columns;
  canvas.height = rows;
  canvas.getContext("2d").putImageData(new ImageData(pixels, columns, rows), 0, 0);
  const zoom = Math.max(1, Math.floor(WIDTH / Math.max(columns, rows)));
  canvas.style.width = `${columns * zoom}px`;
}

function drawPlot(canvas, values, { min, max }) {
  [canvas.width, canvas.height] = [640, 160];
  canvas.classList.add("is-plot");
  const pen = canvas.getContext("2d");
  const place = (value) => 155 - (150 * (value - min)) / (max - min || 1);
  // The colour comes with the style sheet, once the canvas is in the page.
  requestAnimationFrame(() => {
    pen.strokeStyle = getComputedStyle(canvas).color;
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const { step, value } of decimate(values, canvas.width)) {
      pen.lineTo((step / (values.length - 1)) * canvas.width, place(value));
    }
    pen.stroke();
  });
}

function followPointer(canvas, columns, rows, tell) {
  const at = { row: 0, column: 0 };
  const go = (row, column) => {
    at.row = Math.min(Math.max(row, 0), rows - 1);
    at.column = Math.min(Math.max(column, 0), columns - 1);
    tell(at);
  };
  const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    const part = (offset, size, count) => Math.floor((offset / size) * count);
    go(part(event.clientY - box.top, box.height, rows), part(event.clientX - box.left, box.width, columns));
  });
  canvas.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    go(at.row + move[0], at.column + move[1]);
  });
}

function scaleOf({ min, max }) {
  const bar = element("span.scale-bar", { "aria-hidden": "true" });
  const some = colours().filter((_, index) => index % 15 === 0);
  const stops = some.map(([red, green, blue]) => `rgb(${red} ${green} ${blue})`);
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return element("div.scale", {}, element("span", {}, short(min)), bar, element("span", {}, short(max)));
}

/** A number in at most six digits. */
export function short(number) {
  return Number.isInteger(number) && Math.abs(number) < 1e15 ? String(number) : String(Number(number.toPrecision(6)));
}
