// An episode as a program that plays it again: Python for our clients, and curl. Pure.

import { isPythonName, jsonText, pythonText, pythonValue, shellWord } from "./quoting.js";

const LONGEST_ARGUMENT = 100_000; // bytes; Linux takes 128 KiB, and a longer body comes by a here document
const LINE = 100;

/**
 * @typedef {{kind: "reset"|"step", options?: object, action?: object}} CodeStep
 * @typedef {{package: string, client_class: string, action_class: string}} ClientNames As of `/schema`.
 */

/**
 * Write an episode as Python, synchronous, ready to run.
 * @param {{client?: ClientNames, url: string, token?: string, steps: CodeStep[]}} episode Without a client of its own
 *   the environment is driven by the generic one, which needs to know nothing of it.
 * @returns {string}
 */
export function pythonCode({ client, url, token, steps }) {
  const typed = isNamed(client) ? client : null;
  const body = pythonBody(steps, typed ? (action) => typedAction(typed.action_class, action) : pythonValue);
  const clientClass = typed?.client_class ?? "GenericEnvClient";
  const names = typed ? [typed.action_class, clientClass].sort().join(", ") : clientClass;
  const headers = token ? `, headers={"Authorization": ${pythonText(`Bearer ${token}`)}}` : "";
  return [
    ...(body.some((line) => line.includes("json.loads(")) ? ["import json", ""] : []),
    `from ${typed?.package ?? "openenv"} import ${names}`,
    "",
    `with ${clientClass}(${pythonText(plainUrl(url))}${headers}) as env:`,
    ...(body.length ? body : ["env.reset()"]).map((line) => `    ${line}`),
    "",
  ].join("\n");
}

/** Whether names of a client may stand in Python: what cannot is no name, whatever the server says. */
function isNamed(client) {
  const { package: home, client_class: one, action_class: other } = client ?? {};
  return [home, one, other].every((name) => name?.split(".").every(isPythonName)) && one !== other;
}

function typedAction(actionClass, action) {
  const entries = Object.entries(action ?? {});
  if (!entries.every(([key]) => isPythonName(key))) return `${actionClass}.model_validate(${pythonValue(action)})`;
  return `${actionClass}(${entries.map(([key, value]) => `${key}=${pythonValue(value)}`).join(", ")})`;
}

function pythonBody(steps, asAction) {
  const lines = [];
  for (const { kind, options, actions } of grouped(steps)) {
    if (kind === "reset") lines.push(`result = env.reset(${pythonArguments(options ?? {})})`, SHOWN[0]);
    else if (actions.length === 1) lines.push(`result = env.step(${asAction(actions[0])})`, ...SHOWN);
    else lines.push(...loop(actions.map(asAction)));
  }
  return lines;
}

const SHOWN = ["print(result.observation)", "print(result.reward, result.done)"];

function loop(actions) {
  const inside = ["result = env.step(action)", ...SHOWN].map((line) => `    ${line}`);
  const short = `for action in [${actions.join(", ")}]:`;
  if (short.length <= LINE) return [short, ...inside];
  return ["actions = [", ...actions.map((action) => `    ${action},`), "]", "for action in actions:", ...inside];
}

function grouped(steps) {
  const groups = [];
  for (const { kind, options, action } of steps) {
    if (kind === "step" && groups.at(-1)?.kind === "step") groups.at(-1).actions.push(action);
    else if (kind === "step") groups.push({ kind, actions: [action] });
    else if (kind === "reset") groups.push({ kind, options });
  }
  return groups;
}

function pythonArguments(options) {
  const entries = Object.entries(options);
  if (!entries.every(([key]) => isPythonName(key))) return `**${pythonValue(options)}`;
  return entries.map(([key, value]) => `${key}=${pythonValue(value)}`).join(", ");
}

/**
 * Write an episode as calls of curl, in a session of its own, for any POSIX shell.
 * @param {{url: string, token?: string, steps: CodeStep[]}} episode
 * @returns {string}
 */
export function curlCode({ url, token, steps }) {
  const base = plainUrl(url);
  const secret = token ? [`-H ${shellWord(`Authorization: Bearer ${token}`)}`] : [];
  const known = steps.filter(({ kind }) => kind === "reset" || kind === "step");
  const calls = (known.length ? known : [{ kind: "reset" }]).map(({ kind, options, action }, index) => {
    const payload = jsonText(kind === "reset" ? (options ?? {}) : { action: action ?? {} });
    const session = index === 0 ? ['-D "$headers"', "-H 'X-Session-Id: new'"] : ['-H "X-Session-Id: $session"'];
    const call = post(`${base}/${kind}`, [...session, ...secret], payload);
    return index === 0 ? `${call}\n${TAKE_SESSION}` : call;
  });
  const end = curl(["-X DELETE", shellWord(`${base}/session`), '-H "X-Session-Id: $session"', ...secret]);
  return ["headers=$(mktemp)", ...calls, end, ""].join("\n");
}

const TAKE_SESSION =
  `session=$(tr -d '\\r' < "$headers" | sed -n 's/^[Xx]-[Ss]ession-[Ii][Dd]: *//p'); rm -f "$headers"`;

function post(address, headers, payload) {
  const all = [shellWord(address), ...headers, "-H 'Content-Type: application/json'"];
  if (payload.length <= LONGEST_ARGUMENT) return curl([...all, `--data-raw ${shellWord(payload)}`]);
  // One line of JSON that begins with a brace: it cannot be the line that ends the document.
  return `${curl([...all, "--data-binary @-"], " <<'END_OF_BODY'")}\n${payload}\nEND_OF_BODY`;
}

// The answer has no line end of its own.
function curl(words, input = "") {
  return `curl -sS -w '\\n' ${words.join(" \\\n  ")}${input}`;
}

function plainUrl(url) {
  return String(url).replace(/\/+$/, "");
}
