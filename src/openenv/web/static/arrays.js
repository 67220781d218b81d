// Arrays of numbers: their shape, what is in them in short, and their pixels as a heat map or a picture. No DOM.

const SMALLEST = 4; // a shorter list is read more easily than a plot of it

/**
 * Give the shape of a regular array of finite numbers, or null if it is anything else.
 * @param {*} value
 * @returns {number[]|null}
 */
export function shapeOf(value) {
  const shape = [];
  for (let part = value; Array.isArray(part); part = part[0]) {
    if (part.length === 0 || shape.length === 5) return null;
    shape.push(part.length);
  }
  if (!shape.length || shape.reduce((count, length) => count * length) < SMALLEST) return null;
  return isRegular(value, shape, 0) ? shape : null;
}

function isRegular(value, shape, depth) {
  if (depth === shape.length) return typeof value === "number" && Number.isFinite(value);
  if (!Array.isArray(value) || value.length !== shape[depth]) return false;
  return value.every((part) => isRegular(part, shape, depth + 1));
}

/**
 * Sum up an array of numbers.
 * @param {Array} value
 * @returns {{count: number, min: number, max: number, mean: number, isWhole: boolean}}
 */
export function summarise(value) {
  const found = { count: 0, min: Infinity, max: -Infinity, mean: 0, isWhole: true };
  for (const number of value.flat(Infinity)) {
    found.count += 1;
    found.min = Math.min(found.min, number);
    found.max = Math.max(found.max, number);
    found.mean += (number - found.mean) / found.count;
    if (!Number.isInteger(number)) found.isWhole = false;
  }
  return found;
}

/**
 * Say how an array may be looked at.
 * @param {number[]} shape
 * @param {{min: number, max: number}} summary
 * @returns {"plot"|"heatmap"|"picture"|null}
 */
export function viewOf(shape, { min, max }) {
  const [, , channels] = shape;
  if (shape.length === 1) return "plot";
  if (shape.length === 2) return "heatmap";
  if (shape.length !== 3) return null;
  if (channels === 1) return "heatmap";
  return (channels === 3 || channels === 4) && min >= 0 && max <= 255 ? "picture" : null;
}

/**
 * Colour the cells of a two-dimensional array.
 * @param {Array} value h x w, or h x w x 1
 * @param {{min: number, max: number}} summary
 * @returns {Uint8ClampedArray} RGBA
 */
export function heatPixels(value, { min, max }) {
  const span = max - min || 1;
  const table = colours();
  const cells = value.flat(2);
  const pixels = new Uint8ClampedArray(cells.length * 4);
  cells.forEach((number, index) => pixels.set(table[Math.round(((number - min) / span) * 255)], index * 4));
  return pixels;
}

/**
 * Give the pixels of a picture of h x w x 3 or 4. What has only numbers up to 1, and parts of one, is taken as 0 to 1.
 * @param {Array} value
 * @param {{max: number, isWhole: boolean}} summary
 * @returns {Uint8ClampedArray} RGBA
 */
export function picturePixels(value, { max, isWhole }) {
  const scale = max <= 1 && !isWhole ? 255 : 1;
  const cells = value.flat(1);
  const pixels = new Uint8ClampedArray(cells.length * 4);
  cells.forEach(([red, green, blue, alpha], index) =>
    pixels.set([red * scale, green * scale, blue * scale, alpha === undefined ? 255 : alpha * scale], index * 4));
  return pixels;
}

let made = null;

/**
 * Make the colours of heat maps: from dark violet to light yellow in equal steps of OKLab's lightness, so that equal
 * differences look equal.
 * @returns {number[][]} 256 times RGBA
 */
export function colours() {
  made ??= Array.from({ length: 256 }, (_, index) => {
    const part = index / 255;
    const hue = ((300 - 190 * part) * Math.PI) / 180;
    const chroma = 0.06 + 0.22 * part * (1 - part) + 0.06 * part;
    return [...rgb(0.24 + 0.7 * part, chroma * Math.cos(hue), chroma * Math.sin(hue)), 255];
  });
  return made;
}

// OKLab to sRGB, by the matrices of its definition (Ottosson, 2020).
function rgb(lightness, a, b) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((part) => {
    const inside = Math.min(Math.max(part, 0), 1);
    return Math.round(255 * (inside <= 0.0031308 ? 12.92 * inside : 1.055 * inside ** (1 / 2.4) - 0.055));
  });
}
