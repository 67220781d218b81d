// The bearer token: asked for once, kept by the browser under a name of its own for each server and prefix.

import { base } from "./api.js";
import { byId } from "./dom.js";
import { recall, remember } from "./memory.js";

const KEY = `openenv.token:${base.pathname}`;
const ALLOWED = /^[\x21-\x7e]+$/; // what a header and a subprotocol can carry without doubt

export const token = {
  /** @returns {?string} */
  get: () => recall(KEY),
  forget: () => remember(KEY, null),
};

/**
 * Offer the subprotocols of a WebSocket handshake, which can carry no header.
 * @param {?string} secret
 */
export function subprotocols(secret) {
  if (!secret) return ["openenv.v1"];
  const code = btoa(String.fromCharCode(...new TextEncoder().encode(secret)));
  return ["openenv.v1", `openenv.bearer.${code.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`];
}

/**
 * Ask for the token, and return when one was given.
 * @param {boolean} wrong whether the one that was given before was refused
 */
export function askForToken(wrong) {
  const dialog = byId("token-dialog");
  const form = byId("token-form");
  const input = byId("token-input");
  const say = (text) => {
    byId("token-fault").textContent = text;
    byId("token-fault").hidden = !text;
    input.setAttribute("aria-invalid", String(Boolean(text)));
  };
  say(wrong ? "The server refused that token." : "");
  input.value = "";
  dialog.oncancel = (event) => event.preventDefault(); // without a token there is nothing behind this dialog
  if (!dialog.open) dialog.showModal();
  input.focus();
  return new Promise((given) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (!ALLOWED.test(text)) return say("A token has no spaces and no other than plain characters.");
      remember(KEY, text);
      dialog.close();
      given();
    };
  });
}
