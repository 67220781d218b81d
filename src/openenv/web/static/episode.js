// The record of an episode, and its form as a file: docs/concepts/episodes.md says what each line holds. Pure.

import { formatJson, isObject, parseJson } from "./json.js";

const FORMAT = "openenv.episode";
const VERSION = 1;
const KINDS = ["reset", "step", "state", "tool"];

/**
 * @typedef {object} EpisodeRecord One call and what came of it.
 * @property {number} index
 * @property {"reset"|"step"|"state"|"tool"} kind
 * @property {*} request Options of a reset, an action, or `{name, arguments}` of a tool.
 * @property {*} observation
 * @property {number|boolean|null} reward
 * @property {boolean} done
 * @property {boolean} truncated
 * @property {object|null} metadata
 * @property {*} state
 * @property {number|null} latencyMs
 * @property {{code: string, message: string}|null} error
 * @property {string|null} at When, in ISO 8601.
 */

/**
 * Begin a record.
 * @param {{environment?: string, url?: string}} [about]
 * @returns {{about: object, records: EpisodeRecord[]}}
 */
export function createEpisode(about = {}) {
  return { about, records: [] };
}

const EMPTY = {
  request: {}, observation: null, reward: null, done: false, truncated: false, metadata: null, state: null,
  latencyMs: null, error: null, at: null,
};

/**
 * Add a call to an episode.
 * @param {{records: EpisodeRecord[]}} episode
 * @param {Partial<EpisodeRecord>} record
 * @returns {EpisodeRecord} As it is kept, numbered.
 */
export function append(episode, record) {
  const kept = { ...EMPTY, ...record, index: episode.records.length };
  episode.records.push(kept);
  return kept;
}

/**
 * Give the calls of an episode that the server carried out, as the code generators take them.
 * @param {{records: EpisodeRecord[]}} episode
 * @returns {{kind: "reset"|"step", options?: object, action?: object}[]}
 */
export function codeSteps({ records }) {
  const carried = records.filter(({ kind, error }) => error === null && (kind === "reset" || kind === "step"));
  return carried.map(({ kind, request }) => ({ kind, [kind === "reset" ? "options" : "action"]: request }));
}

const COLUMNS = [
  ["index", "index"], ["kind", "kind"], ["request", "request"], ["observation", "observation"], ["reward", "reward"],
  ["done", "done"], ["truncated", "truncated"], ["metadata", "metadata"], ["state", "state"],
  ["latencyMs", "latency_ms"], ["error", "error"], ["at", "at"],
];

/**
 * Write an episode as JSON lines.
 * @param {{about?: object, records: EpisodeRecord[]}} episode
 * @returns {string}
 */
export function toJsonl({ about = {}, records }) {
  const head = { ...about, format: FORMAT, version: VERSION };
  const lineOf = (record) => Object.fromEntries(COLUMNS.map(([name, column]) => [column, record[name] ?? null]));
  return [head, ...records.map(lineOf)].map((line) => `${formatJson(line)}\n`).join("");
}

/**
 * Read an episode.
 * @param {string} text
 * @returns {{about: object, records: EpisodeRecord[]}}
 * @throws {SyntaxError} A sentence that names the line.
 */
export function fromJsonl(text) {
  const lines = text.replace(/^\ufeff/, "").split("\n");
  const [head, ...rest] = lines.flatMap((line, index) => (line.trim() ? [[read(line, index + 1), index + 1]] : []));
  if (!head) throw new SyntaxError("The file is empty; an exported episode has a line for each call.");
  const episode = createEpisode(aboutOf(...head));
  for (const [found, number] of rest) append(episode, recordOf(found, number, episode.records.length));
  return episode;
}

function read(line, number) {
  let found;
  try {
    found = parseJson(line);
  } catch (error) {
    throw new SyntaxError(`Line ${number} is not JSON: ${error.message}`);
  }
  if (!isObject(found)) throw new SyntaxError(`Line ${number} is not a JSON object.`);
  return found;
}

function aboutOf({ format, version, ...about }, number) {
  if (format !== FORMAT) {
    throw new SyntaxError(`Line ${number} does not say "format": "${FORMAT}"; this is no exported episode.`);
  }
  if (version !== VERSION) {
    const found = `this is version ${formatJson(version)} of the format`;
    throw new SyntaxError(`Line ${number}: ${found}; version ${VERSION} can be read here.`);
  }
  return about;
}

const isText = (value) => typeof value === "string";
const isBoolean = (value) => typeof value === "boolean";
const isNumber = (value) => typeof value === "number" || typeof value === "bigint";
const RULES = {
  kind: [(value) => KINDS.includes(value), `one of ${KINDS.join(", ")}`],
  request: [isObject, "an object"],
  reward: [(value) => value === null || isNumber(value) || isBoolean(value), "a number or null"],
  done: [isBoolean, "true or false"],
  truncated: [isBoolean, "true or false"],
  metadata: [(value) => value === null || isObject(value), "an object or null"],
  latency_ms: [(value) => value === null || isNumber(value), "a number or null"],
  error: [(value) => value === null || isObject(value), "an object or null"],
  at: [(value) => value === null || isText(value), "a time or null"],
};

function recordOf(found, number, index) {
  if ((found.index ?? index) !== index) {
    const wrong = `"index" is ${formatJson(found.index)} where ${index} should follow`;
    throw new SyntaxError(`Line ${number}: ${wrong}; lines are missing or moved.`);
  }
  const record = {};
  for (const [name, column] of COLUMNS) {
    const value = found[column] === undefined ? EMPTY[name] : found[column];
    const [holds, wanted] = RULES[column] ?? [() => true];
    if (!holds(value)) {
      const shown = formatJson(value).slice(0, 80) || "missing";
      throw new SyntaxError(`Line ${number}: "${column}" is ${shown}; it should be ${wanted}.`);
    }
    record[name] = value;
  }
  return record;
}
