// Plays the environment: sends what the visitor asks for, keeps the record of each episode, and says when anything
// changed. It knows no DOM.

import { Cancelled, ConnectionLost, Fault } from "./connection.js";
import { outcomeDifferences } from "./difference.js";
import { append, createEpisode } from "./episode.js";

const REFUSED = new Set(["VALIDATION_ERROR", "INVALID_JSON", "UNKNOWN_TYPE", "FORBIDDEN", "TOO_LARGE"]);

/**
 * @param {Object} connection
 * @param {{about: Object, capabilities: Set<string>, readsState: function(): boolean,
 *   onChange: function(string, *=): void}} options
 *   `about` goes into the record of each episode; onChange is called with "episode" (another one begins), "record" (it
 *   got a record), "update" (its last record got more), "busy", "lost" or "replay"
 */
export class Player {
  constructor(connection, { about, capabilities, readsState, onChange }) {
    this.connection = connection;
    this.about = about;
    this.capabilities = capabilities;
    this.readsState = readsState;
    this.onChange = onChange;
    this.episode = createEpisode(about);
    this.number = 0; // of the episode; 0 is before the first
    this.steps = 0;
    this.total = 0; // of the rewards
    this.ended = null; // "done" or "truncated"
    this.lost = null; // what was lost, in a sentence
    this.busy = null; // what is under way
    this.imported = null; // an episode that is only looked at
    this.replayed = null; // how a replay goes
    this.asked = 0; // questions to the MCP server
  }

  /** The records to show: of the imported episode while there is one. */
  get records() {
    return (this.imported ?? this.episode).records;
  }

  /** Begin an episode. @param {Object} options */
  reset(options) {
    return this.#during("Resetting", () => this.#reset(options));
  }

  /** Carry out an action. @param {Object} action */
  step(action) {
    return this.#during("Stepping", () => this.#step(action));
  }

  /** Ask the environment's MCP server. @param {string} method @param {Object} params */
  async askTools(method, params = {}) {
    const rpc = { jsonrpc: "2.0", id: ++this.asked, method, params };
    const { data } = (await this.#ask({ type: "mcp", data: rpc })).reply;
    if (data.error) throw new Fault({ code: String(data.error.code ?? "error"), message: data.error.message, ...data });
    return data.result;
  }

  /** Call a tool; what it gives becomes a record of the episode. */
  callTool(name, argumentsOf) {
    return this.#during(`Calling ${name}`, async () => {
      const started = performance.now();
      const request = { name, arguments: argumentsOf };
      const outcome = await this.askTools("tools/call", request).then(
        (result) => ({ observation: result, error: result?.isError ? { code: "TOOL_ERROR", message: "" } : null }),
        (error) => {
          if (!(error instanceof Fault)) throw error;
          return { error: shown(error) };
        },
      );
      await this.#keep("tool", request, { ...outcome, latencyMs: performance.now() - started });
    });
  }

  /** Send again what a recorded episode sent, and compare. @param {{records: Object[]}} recorded */
  replay(recorded) {
    return this.#during("Replaying", async () => {
      const script = recorded.records.filter(({ kind }) => kind === "reset" || kind === "step" || kind === "tool");
      const state = { done: 0, total: script.length, differing: [], stopped: false, running: true };
      this.replayed = state;
      this.imported = null;
      try {
        if (script[0]?.kind !== "reset") await this.#reset({});
        for (const record of script) {
          if (state.stopped) break;
          await this.#again(record, state);
          state.done += 1;
          this.onChange("replay");
        }
      } finally {
        state.running = false;
        this.onChange("replay");
      }
    });
  }

  async #again(recorded, state) {
    const request = recorded.request ?? {};
    if (recorded.kind === "reset") await this.#reset(request);
    else if (recorded.kind === "step") await this.#step(request, true);
    else {
      const result = await this.askTools("tools/call", request);
      await this.#keep("tool", request, { observation: result });
    }
    const record = this.episode.records.at(-1);
    record.differences = outcomeDifferences(recorded, record);
    if (record.differences.length) state.differing.push(this.episode.records.length - 1);
    this.onChange("update", record);
  }

  /** Show an episode from a file; the one that is played goes on behind it. */
  look(imported) {
    this.imported = imported;
    this.onChange("episode");
  }

  /** Ask for the state anew. */
  async readState() {
    const record = this.episode.records.at(-1);
    if (!record) return;
    await this.#during("Reading the state", () => this.#readState(record));
    this.onChange("update", record);
  }

  async #reset(options) {
    const { reply, latencyMs } = await this.#ask({ type: "reset", data: options });
    this.episode = createEpisode(this.about);
    this.imported = this.lost = this.ended = null;
    this.number += 1;
    this.steps = this.total = 0;
    this.onChange("episode");
    await this.#keep("reset", options, { ...outcomeOf(reply.data), latencyMs });
  }

  async #step(action, keepsRefusals = false) {
    const started = performance.now();
    let outcome;
    try {
      const { reply, latencyMs } = await this.#ask({ type: "step", data: action });
      outcome = { ...outcomeOf(reply.data), latencyMs };
    } catch (error) {
      if (!(error instanceof Fault) || (REFUSED.has(error.code) && !keepsRefusals)) throw error;
      outcome = { error: shown(error), latencyMs: performance.now() - started };
    }
    this.imported = null;
    this.steps += 1;
    await this.#keep("step", action, outcome);
  }

  async #keep(kind, request, outcome) {
    const empty = { observation: null, reward: null, done: false, truncated: false, metadata: null, state: null };
    const record = append(this.episode, {
      ...empty,
      kind,
      request,
      error: null,
      at: new Date().toISOString(),
      ...outcome,
    });
    if (typeof record.reward === "number") this.total += record.reward;
    if (record.done || record.truncated) this.ended = record.truncated ? "truncated" : "done";
    this.onChange("record", record);
    if (record.error?.endsSession) return;
    if (this.readsState()) await this.#readState(record);
    if (this.capabilities.has("view")) await this.#readView(record);
    this.onChange("update", record);
  }

  async #readState(record) {
    await this.#add(record, "state", { type: "state" });
  }

  async #readView(record) {
    await this.#add(record, "view", { type: "view" });
  }

  /** Add to a record what another request says; that it fails is worth a remark and no more. */
  async #add(record, key, message) {
    try {
      record[key] = (await this.#ask(message)).reply.data;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      Object.defineProperty(record, `${key}Fault`, { value: error.message, configurable: true, enumerable: false });
    }
  }

  async #ask(message) {
    // Another session would open by itself; but what it is asked for was meant for the one that is gone.
    if (this.lost && message.type !== "reset") throw new ConnectionLost("The session is lost; Reset begins another.");
    const started = performance.now();
    const reply = await this.connection.request(message);
    return { reply, latencyMs: reply.latencyMs ?? performance.now() - started };
  }

  async #during(what, work) {
    if (this.busy) throw new Fault({ code: "BUSY", message: `${this.busy} is not done yet.` });
    this.busy = what;
    this.onChange("busy");
    try {
      return await work();
    } catch (error) {
      if (error instanceof ConnectionLost || error instanceof Cancelled) this.lose(error);
      throw error;
    } finally {
      this.busy = null;
      this.onChange("busy");
    }
  }

  /** The session is gone: say what went with it. @param {Error} error */
  lose(error) {
    if (this.lost || !this.episode.records.length) return;
    this.lost = { number: this.number, steps: this.steps, reason: error.message, wasOver: this.ended !== null };
    this.onChange("lost");
  }
}

function outcomeOf(data) {
  const { observation, reward = null, done, truncated, metadata = null } = data;
  return { observation, reward, done: Boolean(done), truncated: Boolean(truncated), metadata };
}

const ENDING = new Set(["TIMED_OUT", "SESSION_ENDED", "SESSION_ERROR", "SESSION_NOT_FOUND"]);

function shown(error) {
  const { message, code, ...rest } = error.data;
  return { code, message, ...rest, ...(ENDING.has(code) ? { endsSession: true } : {}) };
}
