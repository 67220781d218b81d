// Puts the page together: reads what the server says of its environment, builds the parts, and passes on between them
// what the visitor does and what comes of it.

import { Unauthorized, createApi, serverUrl } from "./api.js";
import { createActionPanel } from "./action.js";
import { createConnection } from "./connection.js";
import { createEpisodeView } from "./episode-view.js";
import { createHeader } from "./header.js";
import { createKeyboard } from "./keyboard.js";
import { createNotice } from "./notice.js";
import { createSide, customUi } from "./side.js";
import { createTools } from "./tools.js";
import { byId, element } from "./dom.js";
import { recall, remember } from "./memory.js";
import { Player } from "./player.js";
import { firstParagraph } from "./readme.js";
import { askForToken, token } from "./token.js";
import { switchTheme } from "./theme.js";

const READS_STATE = "openenv.state-off";
const api = createApi(token);

async function about() {
  for (let wrong = false; ; wrong = true) {
    try {
      const schemas = await api.read("schema");
      return { schemas, metadata: await api.read("metadata") };
    } catch (error) {
      if (!(error instanceof Unauthorized)) throw error;
      await askForToken(wrong || token.get() !== null);
    }
  }
}

function start({ schemas, metadata: described }) {
  const { title, mode, custom_tab: custom } = schemas.page ?? {};
  const metadata = { ...described, name: title ?? described.name };
  const capabilities = new Set(schemas.capabilities ?? []);
  if (mode === "production") capabilities.delete("view"); // which reads the episode, as the state does
  const notice = createNotice(byId("notice"));
  const header = createHeader(metadata);
  if (custom?.alone) return showAlone(customUi());
  const connection = createConnection({
    token,
    api,
    onChange(status) {
      header.connection(status);
      notice.queue(status, () => connection.cancel());
    },
    onLost: (error) => player.lose(error),
  });
  const player = new Player(connection, {
    about: { environment: metadata.name, url: serverUrl },
    capabilities,
    readsState: () => mode !== "production" && recall(READS_STATE) === null,
    onChange: (what, record) => show(what, record),
  });

  const reset = () => action.reset();
  const view = createEpisodeView({ player, schemas, notice, onReset: reset, onSelect: () => side.show() });
  const action = createActionPanel({ player, schemas, notice, onFault: (error) => fault(error) });
  const side = createSide({
    player,
    schemas,
    metadata,
    custom,
    view,
    token,
    readsState: { on: recall(READS_STATE) === null, change: (on) => remember(READS_STATE, on ? null : "1") },
    onFault: (error) => fault(error),
  });
  const tools = capabilities.has("mcp")
    ? createTools(byId("tools"), {
        onList: async () => (await player.askTools("tools/list")).tools ?? [],
        onCall: (name, given) => player.callTool(name, given),
        onFault: (error) => fault(error),
      })
    : null;

  function fault(error) {
    if (error instanceof Unauthorized) return about().then(() => notice.say("The token is known now; go on."));
    return action.fault(error);
  }

  function show(what, record) {
    header.figures(player);
    action.show();
    if (what === "lost") notice.lost(player.lost, reset);
    if (what === "episode") notice.clear();
    if (what === "replay") view.replay();
    if (what !== "busy") view.show(what, record);
    if (what === "busy" && !player.busy && tools && !tools.loaded && player.records.length) tools.load().catch(fault);
  }

  welcome(metadata, reset);
  const play = [
    { keys: ["r"], says: "Reset", run: reset },
    { keys: ["s", "Ctrl+Enter"], says: "Step", run: () => action.step() },
    { keys: ["a"], says: "Go to the action's first field", run: () => action.focus() },
  ];
  createKeyboard([
    ...(mode === "production" ? [] : play),
    { keys: ["j", "ArrowRight"], says: "The next step", run: () => view.move(1) },
    { keys: ["k", "ArrowLeft"], says: "The step before", run: () => view.move(-1) },
    { keys: ["g"], says: "The first step", run: () => view.select(0) },
    { keys: ["G"], says: "The last step", run: () => view.select(Infinity) },
    { keys: ["t"], says: "Light, dark, or as the system", run: switchTheme },
    ...side.shortcuts,
    { keys: ["?"], says: "This list", run: () => byId("help").click() },
  ]).bind(byId("help"));
  bottomBar();
  action.show();
  if (mode === "production") {
    for (const id of ["action-form", "step", "reset", "reset-options", "begin"]) byId(id).hidden = true;
    notice.say("This server is in production mode: its tools can be called, and nobody resets, steps or reads episodes.", {
      closes: false,
    });
    tools?.load().catch(fault);
  }
  window.addEventListener("pagehide", () => connection.close());
  return undefined;
}

/** Nothing but the environment's own interface. */
function showAlone(ui) {
  document.querySelector(".bottom").hidden = document.querySelector(".figures").hidden = true;
  byId("connection").hidden = true;
  const main = document.querySelector("main");
  main.className = "panel";
  main.replaceChildren(ui);
}

function welcome(metadata, onBegin) {
  byId("welcome-name").textContent = metadata.name;
  const summary = firstParagraph(metadata.readme_content);
  const paragraphs = [...new Set([metadata.description, summary].filter(Boolean))];
  byId("welcome-about").replaceChildren(...paragraphs.map((text) => element("bdi", {}, text)));
  byId("begin").disabled = false;
  byId("begin").addEventListener("click", onBegin);
}

/** On a phone one of three views is shown at a time. */
function bottomBar() {
  const buttons = [...document.querySelectorAll(".bottom button")];
  for (const each of buttons) {
    each.addEventListener("click", () => {
      document.body.dataset.view = each.dataset.view;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === each));
      window.scrollTo(0, 0);
    });
  }
}

about().then(start, (error) => {
  createNotice(byId("notice")).say(`The environment cannot be shown: ${error.message}`, {
    tone: "bad",
    action: ["Try again", () => location.reload()],
  });
  byId("welcome-name").textContent = "Nothing to show";
  byId("action-form").textContent = "";
});
