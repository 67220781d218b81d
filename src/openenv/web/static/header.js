// The bar at the top: which environment this is, how the connection is, and how the episode goes.

import { byId } from "./dom.js";
import { signed, tone } from "./format.js";

const TEXTS = {
  idle: "Not connected",
  connecting: "Connecting …",
  queued: "Waiting for a place",
  open: "Connected",
  lost: "Disconnected",
};

/** @param {Object} metadata the answer of `/metadata` */
export function createHeader(metadata) {
  document.title = `${metadata.name} · OpenEnv`;
  byId("name").textContent = metadata.name;
  byId("version").textContent = metadata.version ? `v${String(metadata.version).replace(/^v/, "")}` : "";
  return {
    /** @param {{kind: string}} status */
    connection({ kind }) {
      byId("connection").dataset.state = kind;
      byId("connection-text").textContent = TEXTS[kind];
    },
    /** @param {Object} player */
    figures(player) {
      const begun = player.number > 0;
      byId("figure-episode").textContent = begun ? String(player.number) : "–";
      byId("figure-steps").textContent = begun ? String(player.steps) : "–";
      const reward = byId("figure-reward");
      reward.textContent = begun ? signed(player.total) : "–";
      reward.className = begun ? tone(player.total) : "";
    },
  };
}
