// One session on the server: a WebSocket, opened by the first request and not before, as a page that is only looked at
// takes nobody's place. One request at a time; each has one reply. At capacity it waits in the server's queue, and
// comes again when it is turned away, until it is cancelled.

import { Unauthorized, base } from "./api.js";
import { formatJson } from "./json.js";
import { subprotocols } from "./token.js";
import { decode } from "./wire.js";

const LOOK_AT_QUEUE_MS = 600;
const MAX_RETRY_S = 30;

/** The server answered "no". `code` says which, `data` the rest. */
export class Fault extends Error {
  constructor(data) {
    super(data.message || data.code);
    this.code = data.code;
    this.data = data;
  }
}

/** The session is gone, and what was asked is in doubt. */
export class ConnectionLost extends Error {}

/** The visitor gave up. */
export class Cancelled extends Error {}

/**
 * @param {{token: Object, api: Object, onChange: function({kind: string, active: ?number, max: ?number}): void,
 *   onLost: function(ConnectionLost): void}} options
 *   `kind` is idle, connecting, queued (with the places there are), open or lost
 */
export function createConnection({ token, api, onChange, onLost }) {
  let socket = null;
  let waiting = null; // {resolve, reject} of the request under way
  let last = Promise.resolve();
  let confirmed = false; // a reply came, so the session is open
  let cancelled = () => {};

  function moveTo(kind, places = {}) {
    onChange({ kind, ...places });
  }

  async function open() {
    moveTo("connecting");
    const address = new URL("ws", base);
    address.protocol = base.protocol === "https:" ? "wss:" : "ws:";
    const made = new WebSocket(address, subprotocols(token.get()));
    const opened = await new Promise((resolve) => {
      made.onopen = () => resolve(true);
      made.onclose = made.onerror = () => resolve(false);
      cancelled = () => {
        made.onopen = null;
        made.close();
        resolve(null);
      };
    });
    if (opened === null) throw new Cancelled("You gave up waiting.");
    if (!opened) throw await reason();
    made.onerror = null;
    made.onmessage = (event) => waiting?.resolve(event.data);
    made.onclose = (event) => lose(made, event);
    confirmed = false;
    socket = made;
  }

  /** Find out by HTTP why a handshake failed, since the browser does not say. */
  async function reason() {
    try {
      await api.read("web/sessions");
    } catch (error) {
      if (error instanceof Unauthorized) return error;
      return new ConnectionLost(error.message);
    }
    return new ConnectionLost("The server is there, but its WebSocket at /ws did not open.");
  }

  function lose(which, event) {
    if (which !== socket) return;
    socket = null;
    const error = new ConnectionLost(
      event.reason || CLOSED[event.code] || `The connection ended (code ${event.code}).`,
    );
    error.wasOpen = true;
    moveTo("lost");
    if (waiting) waiting.reject(error);
    else onLost(error);
  }

  /** Show the queue while the first reply is awaited. */
  function watchQueue() {
    let over = false;
    (async () => {
      await pause(LOOK_AT_QUEUE_MS);
      while (!over) {
        const places = await api.read("web/sessions").catch(() => null);
        if (over) return;
        if (places && places.waiting > 0 && places.active >= places.max) moveTo("queued", places);
        await pause(2 * LOOK_AT_QUEUE_MS);
      }
    })();
    return () => (over = true);
  }

  async function exchange(message) {
    if (!socket) await open();
    const stopWatching = confirmed ? () => {} : watchQueue();
    let started = 0;
    try {
      const text = await new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        cancelled = () => {
          reject(new Cancelled("You gave up waiting."));
          close();
        };
        started = performance.now();
        socket.send(formatJson(message));
      });
      const reply = { ...decode(text), latencyMs: performance.now() - started };
      if (reply.type === "error" && reply.data.code === "CAPACITY_REACHED" && !confirmed) {
        return await comeAgain(message, reply.data);
      }
      if (!confirmed) moveTo("open");
      confirmed = true;
      if (reply.type === "error") throw new Fault(reply.data);
      return reply;
    } finally {
      stopWatching();
      waiting = null;
      cancelled = () => {};
    }
  }

  async function comeAgain(message, data) {
    close();
    const places = await api.read("web/sessions").catch(() => ({}));
    moveTo("queued", places);
    const seconds = Math.min(Number(data.retry_after_s) || 1, MAX_RETRY_S) * (0.75 + Math.random() / 2);
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, seconds * 1000);
      cancelled = () => {
        clearTimeout(timer);
        reject(new Cancelled("You gave up waiting."));
      };
    });
    return exchange(message);
  }

  function close() {
    const closing = socket;
    socket = null;
    closing?.close(1000);
    moveTo("idle");
  }

  return {
    /**
     * Send one request and give its reply.
     * @param {Object} message
     * @returns {Promise<{type: string, data: *, latencyMs: number}>}
     * @throws {Fault|ConnectionLost|Cancelled|Unauthorized}
     */
    request(message) {
      const reply = last.then(() => exchange(message));
      last = reply.catch(() => {});
      return reply;
    },
    /** Stop waiting for a place or a reply. What the environment did is then in doubt, so the session ends. */
    cancel: () => cancelled(),
    close,
  };
}

const CLOSED = {
  1001: "The server is going away.",
  1006: "The connection to the server broke.",
  1009: "The message was too large for the server.",
  1011: "The server failed.",
  1012: "The server restarts.",
};

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
