// What the browser keeps for this page. Inside another site's frame it may refuse to; then this tab remembers.

const here = new Map();

/** @param {string} key @returns {?string} */
export function recall(key) {
  if (here.has(key)) return here.get(key);
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** @param {string} key @param {?string} value null forgets */
export function remember(key, value) {
  here.set(key, value);
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // kept in `here`
  }
}
