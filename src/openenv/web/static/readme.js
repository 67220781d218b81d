// The environment's README: Markdown, rendered and sanitised. Its pictures become links, as no request leaves the
// server.

import { element } from "./dom.js";
import { markdownToHtml } from "./markdown.js";
import { sanitise } from "./sanitise.js";

const FRONT_MATTER = /^---\r?\n[\s\S]*?\n---\r?\n/; // what a Space keeps at the top of its README

/** @param {?string} markdown @returns {Node} */
export function createReadme(markdown) {
  const host = element("article.readme");
  if (!markdown?.trim()) {
    host.append(element("p.muted", {}, "This environment came without a README."));
    return host;
  }
  host.append(sanitise(markdownToHtml(markdown.replace(FRONT_MATTER, ""))));
  return host;
}

/** The README's first paragraph as plain text, for who has just come. Pure. @param {?string} markdown */
export function firstParagraph(markdown) {
  const blocks = (markdown ?? "")
    .replace(FRONT_MATTER, "")
    .replace(/```[\s\S]*?```/g, "")
    .split(/\n\s*\n/);
  const found = blocks
    .map((block) => block.trim())
    .find((block) => /^[\p{L}\p{N}*_`"'([]/u.test(block) && !/^\[?!\[|^[-*+] |^\d+\. /.test(block));
  const text = (found ?? "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/[*_`]+/g, "")
    .replace(/\s+/g, " ");
  return text.length > 320 ? `${text.slice(0, 320).replace(/\s\S*$/, "")} …` : text;
}
