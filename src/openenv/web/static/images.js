// Which texts are pictures, and how they are shown. A picture is decoded by the browser and can run nothing.

import { element } from "./dom.js";

const DATA_URL = /^data:image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)[;,]/i;
const STARTS = { iVBORw0KGgo: "png", "/9j/": "jpeg", R0lGODdh: "gif", R0lGODlh: "gif", UklGR: "webp" };
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const SHORTEST = 32;
const SMALL = 128; // pixels; the pixels of a smaller picture are shown large and sharp

/**
 * Give the address of the picture that a text is, or null.
 * @param {string} text
 * @param {object} [schema] Of the text, resolved: `contentMediaType` names the kind of picture.
 * @returns {string|null}
 */
export function imageSource(text, schema = {}) {
  if (DATA_URL.test(text.slice(0, 40))) return text;
  const said = /^image\/[\w.+-]+$/.exec(schema.contentMediaType ?? "")?.[0];
  if (text.length < SHORTEST || !BASE64.test(text.slice(0, 400).replace(/\s/g, ""))) return null;
  const start = Object.keys(STARTS).find((head) => text.startsWith(head));
  // "RIFF" begins sounds and films, too; in a picture "WEBP" stands at byte 8, which is this in base64.
  if (start === "UklGR" && text.slice(11, 16) !== "XRUJQ") return null;
  if (!start && !said) return null;
  const plain = text.replaceAll("-", "+").replaceAll("_", "/").replace(/\s/g, "");
  return `data:${start ? `image/${STARTS[start]}` : said};base64,${plain}`;
}

/**
 * Show a picture with its size below; if it cannot be decoded, what `otherwise` gives.
 * @param {string} source
 * @param {string} name
 * @param {() => Node} otherwise
 * @returns {HTMLElement}
 */
export function viewImage(source, name, otherwise) {
  const image = element("img", { alt: `Picture ${name}`, decoding: "async" });
  const caption = element("figcaption.muted", {}, "");
  const figure = element("figure.picture", {}, image, caption);
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    caption.textContent = `${width} × ${height}`;
    if (width > 0 && width < SMALL && height < SMALL) {
      image.width = width * Math.max(1, Math.floor(SMALL / Math.max(width, height)));
      image.classList.add("is-small");
    }
  });
  image.addEventListener("error", () => figure.replaceWith(otherwise()));
  image.src = source;
  return figure;
}
