// The line under the header: what the visitor must know now, and what can be done about it.

import { button, byId, element } from "./dom.js";
import { counted } from "./format.js";

/** @param {HTMLElement} host */
export function createNotice(host) {
  let kind = "";

  function say(text, { tone = "plain", action = null, closes = true, about = "said" } = {}) {
    kind = about;
    host.className = `notice ${tone}`;
    host.replaceChildren(element("p", {}, ...[text].flat()));
    if (action) host.append(button(...action));
    if (closes)
      host.append(
        element("button.icon.small", { type: "button", "aria-label": "Close this message", onclick: clear }, "×"),
      );
    host.hidden = false;
  }

  function clear() {
    kind = "";
    host.hidden = true;
    host.replaceChildren();
  }

  /** Say how something goes; the button stays the same while it does, so that it can be pressed. */
  function progress(text, action) {
    if (kind !== "progress") say(text, { action, closes: false, about: "progress" });
    else host.firstElementChild.textContent = text;
  }

  return {
    say,
    clear,
    progress,
    /** At capacity: how full the server is, for as long as we wait. */
    queue({ kind: state, active, max, waiting }, onCancel) {
      if (state !== "queued") {
        if (kind === "queue") clear();
        return;
      }
      const places = max ? ` (${active} of ${max} places are taken${waiting ? `, ${waiting} waiting` : ""})` : "";
      const text = `The server is full${places}. Waiting for a place; it is taken as soon as there is one.`;
      if (kind === "queue") host.firstElementChild.textContent = text;
      else say(text, { tone: "warn", action: ["Cancel", onCancel], closes: false, about: "queue" });
    },
    /** The session is gone: say what went with it. */
    lost({ number, steps, reason, wasOver }, onReset) {
      const end = wasOver ? "was over already, and its session is gone" : "is lost on the server";
      const what = `Episode ${number} with ${counted(steps, "step")} ${end}.`;
      say([element("strong", {}, reason), ` ${what} What you see stays readable; Reset begins a new episode.`], {
        tone: "bad",
        action: ["Reset", onReset],
        about: "lost",
      });
    },
  };
}

/** Tell those who listen rather than look. @param {string} text */
export function announce(text) {
  byId("announcer").textContent = text;
}
