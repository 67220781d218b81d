// The right column: tabs that look at the episode and at the environment from other sides.

import { byId, element } from "./dom.js";
import { createCharts } from "./charts.js";
import { createConnectPanel } from "./connect.js";
import { createReadme } from "./readme.js";
import { createSchemaPanel } from "./schema-panel.js";
import { createStatePanel } from "./state.js";
import { createTabs } from "./tabs.js";

/**
 * @param {{player: Object, schemas: Object, metadata: Object, custom: ?Object, view: Object, token: Object,
 *   readsState: {on: boolean, change: function(boolean): void}, onFault: function(Error): void}} options
 */
export function createSide({ player, schemas, metadata, custom, view, token, readsState, onFault }) {
  const state = createStatePanel({
    reads: readsState.on,
    onSwitch: readsState.change,
    onRefresh: () => player.readState().catch(onFault),
    schema: schemas.state,
  });
  const charts = createCharts({ onPick: (place) => view.select(place) });
  let due = 0;

  const tabs = [
    { id: "state", label: "State", build: () => state.element },
    { id: "charts", label: "Charts", build: () => charts.element },
    { id: "readme", label: "README", build: () => createReadme(metadata.readme_content) },
    { id: "schema", label: "Schema", build: () => createSchemaPanel(schemas) },
    {
      id: "connect",
      label: "Connect",
      build: () => createConnectPanel({ schemas, metadata, token, onForget: forget }),
    },
  ];
  if (custom) tabs.splice(custom.primary ? 0 : tabs.length, 0, { id: "custom", label: custom.name, build: customUi });

  function forget() {
    token.forget();
    location.reload();
  }

  function draw() {
    due = 0;
    const { records } = player;
    if (shown.shown === "charts") charts.show(records, view.selected);
    if (shown.shown !== "state") return;
    const record = records[view.selected];
    const before = records.slice(0, Math.max(view.selected, 0)).findLast((each) => each.state);
    state.show(record, before?.state);
  }

  const later = () => {
    if (!due) due = requestAnimationFrame(draw);
  };
  const shown = createTabs(byId("tabs"), byId("panels"), tabs, later);
  shown.select(custom?.primary ? "custom" : "state");

  return {
    show: later,
    shortcuts: tabs.map(({ label }, place) => ({
      keys: [String(place + 1)],
      says: label,
      run: () => shown.select(place, true),
    })),
  };
}

/** The environment's own interface, which stands at an address of its own. */
export const customUi = () => element("iframe.custom", { src: "web/gradio/", title: "The environment's own interface" });
