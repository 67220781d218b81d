// Makes foreign HTML harmless by building it anew: of what a parser that runs nothing has read, only the elements and
// attributes of these lists are made again, so that nothing is let through because it was not thought of.

import { element, outLink } from "./dom.js";

const KEPT = new Set(
  (
    "a abbr b blockquote br caption code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i ins kbd li mark ol p pre " +
    "q s samp small span strong sub summary sup table tbody td tfoot th thead tr u ul"
  ).split(" "),
);
const DROPPED = new Set(
  "script style template noscript iframe object embed svg math title textarea select form head".split(" "),
);
const ATTRIBUTES = {
  td: ["align", "colspan", "rowspan"],
  th: ["align", "colspan", "rowspan", "scope"],
  ol: ["start"],
  details: ["open"],
};
const PICTURE = /^data:image\/(png|jpeg|gif|webp);base64,/i;
const LINK = /^(https?:\/\/|mailto:)/i;

/**
 * @param {string} html
 * @returns {DocumentFragment} without scripts, styles and forms; pictures of other servers are links to them
 */
export function sanitise(html) {
  const parsed = new DOMParser().parseFromString(quiet(html), "text/html");
  const made = document.createDocumentFragment();
  const work = [[parsed.body, made]];
  while (work.length) {
    const [source, target] = work.pop();
    for (const node of source.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) target.append(node.data);
      if (node.nodeType !== Node.ELEMENT_NODE || DROPPED.has(node.localName)) continue;
      const copy = rebuilt(node);
      target.append(copy);
      if (copy.nodeType === Node.ELEMENT_NODE && node.localName !== "img") work.push([node, copy]);
    }
  }
  return made;
}

/** Without the handlers and styles that are not made again anyhow: the parser would report each on the console. */
function quiet(html) {
  return html
    .replace(/<(\/?)style\b/gi, "<$1template")
    .replace(/<[a-z][^<>]*>/gi, (tag) => tag.replace(/[\s/"'](on[a-z]+|style)\s*=/gi, " "));
}

/** The element again; a span where only its content is kept. */
function rebuilt(node) {
  const name = node.localName;
  if (name === "img") return picture(node);
  if (name === "a")
    return LINK.test(node.getAttribute("href") ?? "") ? outLink(node.getAttribute("href")) : element("span");
  if (name === "input") return document.createTextNode(node.hasAttribute("checked") ? "☑ " : "☐ ");
  if (!KEPT.has(name)) return element("span");
  // The page has an h1 of its own, so theirs begin one lower.
  const copy = element(name.replace(/^h([1-5])$/, (_, level) => `h${Number(level) + 1}`));
  for (const attribute of ATTRIBUTES[name] ?? []) {
    if (node.hasAttribute(attribute)) copy.setAttribute(attribute, node.getAttribute(attribute));
  }
  if (name === "pre" || name === "table") copy.tabIndex = 0; // they scroll, so keys must reach them
  return copy;
}

function picture(node) {
  const source = node.getAttribute("src") ?? "";
  const name = node.getAttribute("alt") || source.slice(0, 200).split("/").at(-1) || "picture";
  if (PICTURE.test(source)) return element("img", { src: source, alt: name });
  return LINK.test(source) && !node.closest("a") ? outLink(source, `${name} ↗`) : element("span", {}, name);
}
