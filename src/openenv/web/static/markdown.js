// Markdown to HTML, as READMEs use it: CommonMark's usual blocks and GitHub's tables, task lists and bare links. HTML
// in it is passed on, and so are addresses of any kind: `sanitise.js` decides what becomes of them. Pure.

const DEEPEST = 12;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?:( {1,4})(.*)|)$/;
const QUOTE = /^ {0,3}> ?/;
const HTML = /^ {0,3}<(?:[a-z][a-z0-9-]*[\s/>]|\/[a-z]|!--)/i;
const CODE = /^(?: {4}|\t)/;
const DEFINITION = /^ {0,3}\[([^\]]+)\]:\s*<?([^\s>]+)>?(?:\s+["'(].*["')])?\s*$/;
const DELIMITERS = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

const ADDRESS = String.raw`\(\s*<?([^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)`;
// Every repetition has a limit, so that no text takes long.
const INLINE = new RegExp(
  [
    String.raw`(?<ticks>\x60+)(?<code>[^\x60]|[^\x60][^]{0,999}?[^\x60])\k<ticks>(?!\x60)`,
    String.raw`\\(?<escaped>[!-/:-@[-\x60{-~])`,
    String.raw`<(?<auto>(?:https?:\/\/|mailto:)[^\s<>]+)>`,
    String.raw`<(?<mail>[\w.+-]+@[\w.-]+)>`,
    String.raw`(?<html><!--[^]*?-->|<\/?[a-z][^<>]*>)`,
    String.raw`!\[(?<alt>[^\]]{0,999})\]${ADDRESS.replace("([^", "(?<source>[^")}`,
    String.raw`\[(?<label>(?:[^[\]!]|!(?!\[)|!?\[[^[\]]{0,199}\]){1,999})\]${ADDRESS.replace("([^", "(?<target>[^")}`,
    String.raw`(?<sign>!?)\[(?<shown>(?:[^[\]!]|!(?!\[)|!?\[[^[\]]{0,199}\]){1,999})\](?:\[(?<key>[^\]]{0,99})\])?`,
    String.raw`(?<strong>\*\*|(?<!\w)__)(?=\S)(?<bold>[^]{0,999}?\S)\k<strong>(?![*_])`,
    String.raw`(?<em>\*|(?<!\w)_)(?=[^\s*_])(?<slanted>[^]{0,999}?[^\s])\k<em>(?![\w*])`,
    String.raw`~~(?=\S)(?<struck>[^]{0,999}?\S)~~`,
    String.raw`(?<bare>https?:\/\/[^\s<]*[^\s<.,:;"')\]!?*_])`,
    String.raw`(?<break> {2,}\n|\\\n)`,
  ].join("|"),
  "gi",
);

/** @param {string} text @returns {string} */
export function markdownToHtml(text) {
  const links = new Map();
  const lines = text
    .replace(/\r\n?/g, "\n")
    .split("\n")
    .filter((line) => {
      const found = DEFINITION.exec(line);
      if (found) links.set(found[1].toLowerCase(), found[2]);
      return !found;
    });
  return blocks(lines, links, 0);
}

function blocks(lines, links, depth) {
  if (depth > DEEPEST) return `<p>${escape(lines.join("\n"))}</p>`;
  const made = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const read = READERS.find(({ starts }) => starts(lines[at], lines[at + 1] ?? "")).read;
    const [html, next] = read(lines, at, links, depth);
    made.push(html);
    at = next;
  }
  return made.join("\n");
}

const isTable = (line, next) => line.includes("|") && next.includes("-") && DELIMITERS.test(next);

const READERS = [
  { starts: (line) => FENCE.test(line), read: fence },
  { starts: (line) => HEADING.test(line), read: heading },
  { starts: (line) => RULE.test(line), read: (lines, at) => ["<hr>", at + 1] },
  { starts: (line) => QUOTE.test(line), read: quote },
  { starts: (line) => ITEM.test(line), read: list },
  { starts: (line) => HTML.test(line), read: html },
  { starts: (line) => CODE.test(line), read: indented },
  { starts: isTable, read: table },
  { starts: () => true, read: paragraph },
];

/** The first line from `at` on for which `ends` holds. */
function until(lines, at, ends) {
  let next = at;
  while (next < lines.length && !ends(lines[next], next)) next += 1;
  return next;
}

function fence(lines, at) {
  const [, mark] = FENCE.exec(lines[at]);
  const end = until(lines, at + 1, (line) => line.trim().startsWith(mark) && !line.trim().replaceAll(mark[0], ""));
  return [`<pre><code>${escape(lines.slice(at + 1, end).join("\n"))}</code></pre>`, end + 1];
}

function indented(lines, at) {
  const end = until(lines, at, (line) => line.trim() && !CODE.test(line));
  const code = lines.slice(at, end).map((line) => line.replace(CODE, ""));
  return [`<pre><code>${escape(code.join("\n").trimEnd())}</code></pre>`, end];
}

function heading(lines, at, links) {
  const [, { length }, text = ""] = HEADING.exec(lines[at]);
  return [`<h${length}>${inline(text, links)}</h${length}>`, at + 1];
}

function quote(lines, at, links, depth) {
  const end = until(lines, at, (line) => !line.trim());
  const inside = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [`<blockquote>${blocks(inside, links, depth + 1)}</blockquote>`, end];
}

function html(lines, at) {
  const isComment = lines[at].trimStart().startsWith("<!--");
  const end = isComment
    ? until(lines, at, (line) => line.includes("-->")) + 1
    : until(lines, at, (line) => !line.trim());
  return [lines.slice(at, end).join("\n"), end];
}

function list(lines, at, links, depth) {
  const isOrdered = /\d/.test(ITEM.exec(lines[at])[2]);
  const kind = (line) => ITEM.exec(line)?.[2].at(-1);
  const mark = kind(lines[at]);
  const items = [];
  let next = at;
  let isLoose = false;
  while (next < lines.length && kind(lines[next]) === mark && !RULE.test(lines[next])) {
    const [, before, sign, gap = " ", first = ""] = ITEM.exec(lines[next]);
    const width = before.length + sign.length + gap.length;
    const isInside = (line) => line.length - line.trimStart().length >= Math.min(width, before.length + 2);
    const end = until(lines, next + 1, (line, place) => {
      if (!line.trim()) return !isInside(lines[place + 1] ?? "") || !(lines[place + 1] ?? "").trim();
      return !isInside(line) && (ITEM.test(line) || !lines[place - 1].trim() || RULE.test(line) || startsBlock(line));
    });
    const inside = [first, ...lines.slice(next + 1, end).map((line) => line.replace(new RegExp(`^ {0,${width}}`), ""))];
    items.push(inside);
    const after = until(lines, end, (line) => line.trim());
    isLoose ||= inside.slice(0, -1).some((line) => !line.trim()) || (after > end && kind(lines[after] ?? "") === mark);
    next = kind(lines[after] ?? "") === mark ? after : end;
  }
  const start = isOrdered ? parseInt(ITEM.exec(lines[at])[2], 10) : 1;
  const tag = isOrdered ? "ol" : "ul";
  const shown = items.map((inside) => `<li>${item(inside, links, depth, isLoose)}</li>`).join("\n");
  return [`<${tag}${start === 1 ? "" : ` start="${start}"`}>${shown}</${tag}>`, next];
}

function item(lines, links, depth, isLoose) {
  const task = /^\[([ xX])\]\s+/.exec(lines[0]);
  const content = blocks(task ? [lines[0].slice(task[0].length), ...lines.slice(1)] : lines, links, depth + 1);
  const box = task ? `<input type="checkbox"${task[1] === " " ? "" : " checked"}>` : "";
  return box + (isLoose ? content : content.replace(/^<p>([^]*?)<\/p>/, "$1"));
}

function table(lines, at, links) {
  const align = cells(lines[at + 1]).map((cell) => (/^:-+:$/.test(cell) ? "center" : /-:$/.test(cell) ? "right" : ""));
  const end = until(lines, at + 2, (line) => !line.trim() || startsBlock(line));
  const row = (line, tag) => {
    const given = cells(line);
    const shown = align.map(
      (side, place) => `<${tag}${side && ` align="${side}"`}>${inline(given[place] ?? "", links)}</${tag}>`,
    );
    return `<tr>${shown.join("")}</tr>`;
  };
  const body = lines
    .slice(at + 2, end)
    .map((line) => row(line, "td"))
    .join("");
  return [`<table><thead>${row(lines[at], "th")}</thead><tbody>${body}</tbody></table>`, end];
}

const cells = (line) =>
  line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));

function paragraph(lines, at, links) {
  const end = until(lines, at + 1, (line) => !line.trim() || startsBlock(line) || UNDERLINE.test(line));
  const text = inline(
    lines
      .slice(at, end)
      .map((line) => line.trimStart())
      .join("\n")
      .trimEnd(),
    links,
  );
  const under = UNDERLINE.exec(lines[end] ?? "");
  if (!under) return [`<p>${text}</p>`, end];
  const level = under[1] === "=" ? 1 : 2;
  return [`<h${level}>${text}</h${level}>`, end + 1];
}

const UNDERLINE = /^ {0,3}([=-])\1*\s*$/;
const startsBlock = (line) =>
  [FENCE, HEADING, QUOTE].some((sign) => sign.test(line)) ||
  /^ {0,3}([-*+]|1[.)]) /.test(line) ||
  (RULE.test(line) && !UNDERLINE.test(line));

function inline(text, links) {
  let made = "";
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    if (found.index < at) continue;
    made += escape(text.slice(at, found.index)) + inlineHtml(found[0], found.groups, links);
    at = found.index + found[0].length;
  }
  return made + escape(text.slice(at));
}

function inlineHtml(whole, found, links) {
  if (found.code !== undefined)
    return `<code>${escape(found.code.replace(/\n/g, " ").replace(/^ (.*[^ ].*) $/, "$1"))}</code>`;
  if (found.escaped) return escape(found.escaped);
  if (found.html) return found.html;
  if (found.source !== undefined) return `<img src="${escape(found.source)}" alt="${escape(found.alt)}">`;
  if (found.target !== undefined) return `<a href="${escape(found.target)}">${inline(found.label, links)}</a>`;
  if (found.shown) {
    const target = links.get((found.key || found.shown).toLowerCase());
    if (!target) return escape(whole);
    if (found.sign) return `<img src="${escape(target)}" alt="${escape(found.shown)}">`;
    return `<a href="${escape(target)}">${inline(found.shown, links)}</a>`;
  }
  if (found.bold) return `<strong>${inline(found.bold, links)}</strong>`;
  if (found.slanted) return `<em>${inline(found.slanted, links)}</em>`;
  if (found.struck) return `<del>${inline(found.struck, links)}</del>`;
  if (found.mail) return `<a href="mailto:${found.mail}">${found.mail}</a>`;
  const address = found.auto ?? found.bare;
  return address ? `<a href="${escape(address)}">${escape(address)}</a>` : "<br>";
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escape = (text) => text.replace(/&(?!#?\w+;)|[<>"]/g, (sign) => ENTITIES[sign]);
