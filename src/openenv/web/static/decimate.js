// Fits long series into small pictures. Pure.

/**
 * Keep at most two points for each of `columns`: the lowest and the highest, in their order, so that no peak is lost.
 * @param {number[]} values
 * @param {number} columns
 * @returns {Array<{step: number, value: number}>}
 */
export function decimate(values, columns) {
  if (values.length <= 2 * columns) return values.map((value, step) => ({ step, value }));
  const kept = [];
  for (let column = 0; column < columns; column += 1) {
    const from = Math.floor((column * values.length) / columns);
    const to = Math.floor(((column + 1) * values.length) / columns);
    let low = from;
    let high = from;
    for (let step = from; step < to; step += 1) {
      if (values[step] < values[low] || Number.isNaN(values[low])) low = step;
      if (values[step] > values[high] || Number.isNaN(values[high])) high = step;
    }
    kept.push({ step: Math.min(low, high), value: values[Math.min(low, high)] });
    if (low !== high) kept.push({ step: Math.max(low, high), value: values[Math.max(low, high)] });
  }
  return kept;
}

/**
 * The range to draw: never empty, and with zero in it where asked for.
 * @param {number[]} values
 * @param {boolean} [withZero]
 * @param {number} [room] by which an empty range is widened
 */
export function bounds(values, withZero = false, room = 1) {
  let low = withZero ? 0 : Infinity;
  let high = withZero ? 0 : -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return { low: 0, high: room };
  if (low === high && room)
    return withZero ? { low, high: high + room } : { low: low - room / 2, high: high + room / 2 };
  return { low, high };
}
