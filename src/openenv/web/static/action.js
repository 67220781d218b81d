// The left column: what is sent. The action's form, Reset with its options, quick actions, and what the server said no
// to.

import { button, byId, element } from "./dom.js";
import { Cancelled, ConnectionLost } from "./connection.js";
import { createForm } from "./form.js";
import { signed } from "./format.js";
import { formatJson } from "./json.js";
import { announce } from "./notice.js";
import { isChat } from "./schema.js";

const PATIENCE_MS = 400; // before "Stepping" is shown

/**
 * @param {{player: Object, schemas: Object, onFault: function(Error): void}} options
 */
export function createActionPanel({ player, schemas, onFault }) {
  const chats = isChat(schemas.action);
  const form = createForm(schemas.action, { idPrefix: "action", onSubmit: () => step() });
  const resetForm = hasFields(schemas.reset)
    ? createForm(schemas.reset, { idPrefix: "reset", onSubmit: () => reset() })
    : null;
  let timer = 0;

  byId("action-name").textContent = schemas.action.title ?? "";
  byId("action-form").replaceChildren(modeSwitch(form), form.element);
  if (chats) byId("action-form").append(element("p.muted.small", {}, "Enter sends, Shift+Enter begins a new line."));
  byId("step").addEventListener("click", () => step());
  byId("reset").addEventListener("click", () => reset());
  byId("give-up").addEventListener("click", () => player.connection.cancel());
  if (resetForm) {
    byId("reset-options").hidden = false;
    byId("reset-form").append(resetForm.element);
  }

  /** Read a form; null if it shows an error now. */
  function read(which) {
    const { value, errors } = which.value();
    which.showErrors(errors);
    if (!errors.length) return value ?? {};
    say(errors.length === 1 ? errors[0].message : `${errors.length} fields need another look.`);
    return null;
  }

  async function attempt(work, which) {
    if (player.busy) return;
    say("");
    try {
      await work();
    } catch (error) {
      onFault(place(error, which));
    }
  }

  function reset() {
    const options = resetForm ? read(resetForm) : {};
    if (options === null) {
      byId("reset-options").open = true;
      return undefined;
    }
    return attempt(async () => {
      await player.reset(given(options));
      byId("outcome").textContent = "";
      announce(`Episode ${player.number} begins.`);
      if (matchMedia("(min-width: 760px)").matches) form.focus();
    }, resetForm);
  }

  function step() {
    const action = read(form);
    if (action === null) return undefined;
    const sent = formatJson(action);
    const isAsSent = () => formatJson(form.value().value) === sent; // what was typed meanwhile stays
    return send(action, () => chats && isAsSent() && form.set(undefined));
  }

  function send(action, done = () => {}) {
    return attempt(async () => {
      const before = document.activeElement;
      await player.step(action);
      if (!player.records.at(-1).error) done();
      if (document.activeElement === document.body) before?.focus();
      announce(outcome(player));
      byId("outcome").textContent = brief(player);
    }, form);
  }

  /** Put the server's complaints at their fields; what is left is shown under the form. */
  function place(error, which) {
    const complaints = error.data?.errors;
    if (Array.isArray(complaints) && complaints.length && which) {
      which.showErrors(complaints);
      if (which === resetForm) byId("reset-options").open = true;
    }
    return error;
  }

  function say(text) {
    byId("fault").textContent = text;
    byId("fault").hidden = !text;
  }

  function busy() {
    clearTimeout(timer);
    if (!player.busy) {
      byId("busy").hidden = true;
      return;
    }
    byId("busy-text").textContent = `${player.busy} …`;
    timer = setTimeout(() => (byId("busy").hidden = !player.busy), PATIENCE_MS);
  }

  function quick() {
    const actions = player.imported ? [] : (player.records.findLast(({ view }) => view)?.view.actions ?? []);
    byId("quick").hidden = !actions.length;
    byId("quick").replaceChildren(
      ...actions.slice(0, 60).map(({ label, action }) => button(String(label), () => send(action))),
    );
  }

  return {
    reset,
    step,
    focus: () => form.focus(),
    /** What went wrong, where the visitor looks. @param {Error} error */
    fault(error) {
      const isTold = player.lost && error instanceof ConnectionLost && error.wasOpen; // by the notice
      if (isTold || error instanceof Cancelled) return say("");
      const code = error.code && error.code !== "BUSY" ? `${error.code}: ` : "";
      return say(`${code}${error.message}`);
    },
    /** Follow the player. */
    show() {
      const begun = player.number > 0 && !player.lost;
      const isOver = Boolean(player.ended);
      byId("reset").disabled = byId("begin").disabled = Boolean(player.busy);
      byId("step").disabled = Boolean(player.busy || player.lost);
      byId("step").className = begun && !isOver ? "primary" : "";
      byId("reset").className = player.number > 0 && (isOver || player.lost) ? "primary" : "";
      busy();
      quick();
    },
  };
}

function modeSwitch(form) {
  const made = element("div.modes", { role: "group", "aria-label": "Write the action as" });
  const buttons = ["form", "json"].map((mode) =>
    button(mode === "form" ? "Form" : "JSON", () => {
      form.mode(mode);
      mark(form.mode());
      form.focus();
    }),
  );
  const mark = (shown) =>
    buttons.forEach((each, place) => each.setAttribute("aria-pressed", String((shown === "json") === (place === 1))));
  mark("form");
  made.append(...buttons);
  return made;
}

/** What is not set is not sent, so that the environment's own defaults hold. */
const given = (options) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null && value !== undefined));

/** For small screens, where the rest is out of sight. */
function brief(player) {
  const record = player.records.at(-1);
  return record.error ? record.error.code : `Step ${player.steps}: ${signed(record.reward)}`;
}

const hasFields = (schema) => Object.keys(schema?.properties ?? {}).length > 0;

function outcome(player) {
  const record = player.records.at(-1);
  if (record.error) return `Step ${player.steps} failed: ${record.error.message}`;
  const end = record.truncated ? " The episode was cut off." : record.done ? " The episode is done." : "";
  return `Step ${player.steps}: reward ${signed(record.reward)}, total ${signed(player.total)}.${end}`;
}
