// The Connect tab: this server's address, and code that works as it is pasted.

import { button, copyButton, element, outLink } from "./dom.js";
import { serverUrl } from "./api.js";
import { curlCode, pythonCode } from "./code.js";
import { emptyValue } from "./schema.js";

const LINKS = [
  ["docs", "API documentation", "try every route"],
  ["redoc", "API reference", "the same, to read"],
  ["schema", "Schemas", "JSON"],
  ["metadata", "Metadata", "JSON"],
  ["health", "Health", "JSON"],
];

/**
 * @param {{schemas: Object, metadata: Object, token: Object, onForget: function(): void}} options
 * @returns {Node}
 */
export function createConnectPanel({ schemas, metadata, token, onForget }) {
  const action = withoutMetadata(emptyValue(schemas.action, schemas.action));
  const steps = [
    { kind: "reset", options: {} },
    { kind: "step", action },
  ];
  const options = { url: serverUrl, token: token.get(), steps };
  const generic = pythonCode(options);
  const own = pythonCode({ ...options, client: schemas.client });
  const needs = own === generic ? "" : `Needs the environment's own package, ${schemas.client.package}.`;
  const snippets = [
    ["Install", "pip install openenv-runtime"],
    ["Python", own, needs],
    ["Python, async", asyncCode(own), needs],
    ...(own === generic ? [] : [["Python, without that package", generic]]),
    ["curl", curlCode(options)],
  ];
  const links = LINKS.map(([path, name, note]) =>
    element("li", {}, outLink(path, `${name} ↗`), element("span.muted.small", {}, ` ${note}`)),
  );
  if (/^https?:/.test(metadata.documentation_url ?? "")) {
    links.unshift(element("li", {}, outLink(metadata.documentation_url, "Documentation of the environment ↗")));
  }
  return element(
    "div.stack",
    {},
    element(
      "section",
      {},
      element("h3", {}, "This server"),
      element(
        "div.address",
        {},
        element("code", {}, serverUrl),
        copyButton("Copy", () => serverUrl),
      ),
    ),
    ...snippets.map(snippet),
    element("section", {}, element("h3", {}, "Links"), element("ul.links", {}, ...links)),
    token.get()
      ? element(
          "section",
          {},
          element("h3", {}, "Token"),
          element("p.small", {}, "This browser keeps the token for this server. "),
          button("Forget the token", onForget),
        )
      : null,
  );
}

function snippet([name, code, needs]) {
  const head = element(
    "div.row-between",
    {},
    element("h3", {}, name),
    copyButton("Copy", () => code),
  );
  return element(
    "section",
    {},
    head,
    needs ? element("p.muted.small", {}, needs) : null,
    element("pre.code", { tabindex: 0, "aria-label": name }, element("code", {}, code)),
  );
}

/** The same program for the asynchronous face of the client, which differs by its awaits. @param {string} python */
function asyncCode(python) {
  const lines = python.trimEnd().split("\n");
  const start = lines.findIndex((line) => line.startsWith("with "));
  const body = lines
    .slice(start)
    .map((line) => `    ${line.replace(/^with /, "async with ").replace(/^( +)(result = )?(env\.)/, "$1$2await $3")}`);
  const imports = lines[0].startsWith("import ") ? ["import asyncio"] : ["import asyncio", ""];
  return [
    ...imports,
    ...lines.slice(0, start),
    "",
    "async def main():",
    ...body,
    "",
    "",
    "asyncio.run(main())",
    "",
  ].join("\n");
}

function withoutMetadata(action) {
  const { metadata, ...rest } = action ?? {};
  return rest;
}
