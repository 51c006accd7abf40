/** The page: puts its parts together and starts them. */
import { render } from "preact";
import { useEffect } from "preact/hooks";
import { complain, loadLists } from "./actions.js";
import { followAddress } from "./address.js";
import { EventsTable } from "./events-table.js";
import { Help, Legend } from "./help.js";
import { installKeys } from "./keys.js";
import { Minimap } from "./minimap.js";
import { Scatter } from "./scatter.js";
import { SidePanel } from "./side-panel.js";
import { bottom, experiment, failure, panelShown, theme } from "./state.js";
import { TimelineView } from "./timeline-view.js";
import { Toolbar } from "./toolbar.js";
import type { BottomTab } from "./url-state.js";

const TABS: readonly (readonly [tab: BottomTab, label: string])[] = [
  ["scatter", "Durations"],
  ["events", "Events"],
];

function Bottom() {
  return (
    <div class="bottom">
      <div class="tabs" role="tablist">
        {TABS.map(([tab, label]) => (
          <button
            type="button"
            role="tab"
            key={tab}
            aria-selected={bottom.value === tab}
            onClick={() => {
              bottom.value = tab;
            }}
          >
            {label}
          </button>
        ))}
        <span class="stretch" />
        <Legend />
      </div>
      <div class="bottom-box" role="tabpanel">
        {bottom.value === "events" ? <EventsTable /> : <Scatter />}
      </div>
    </div>
  );
}

function Page() {
  useEffect(installKeys, []);
  useEffect(() => {
    loadLists().then(followAddress).catch(complain);
  }, []);
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme.value;
  }, [theme.value]);
  return (
    <div class={panelShown.value ? "page with-panel" : "page"}>
      <Toolbar />
      {failure.value !== "" && (
        <div class="failure" role="alert">
          {failure.value}
          <button
            type="button"
            aria-label="Dismiss"
            onClick={() => {
              failure.value = "";
            }}
          >
            ×
          </button>
        </div>
      )}
      <Minimap />
      <TimelineView />
      {panelShown.value && experiment.value !== undefined && <SidePanel />}
      <Bottom />
      <Help />
    </div>
  );
}

render(<Page />, document.getElementById("root")!);
