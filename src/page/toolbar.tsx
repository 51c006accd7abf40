/** The bar at the top: which traces, which rows, and what can be done with the picture. */
import { complain, loadLists, nextRowSize, switchTo } from "./actions.js";
import * as api from "./api-client.js";
import { exportPng } from "./export-png.js";
import type { Sort } from "./rows.js";
import {
  client,
  experiment,
  experimentList,
  filter,
  helpShown,
  hideIdle,
  incidentList,
  panelShown,
  selectedRange,
  sort,
  theme,
  withArrows,
} from "./state.js";

const FORMATS: readonly (readonly [format: string, label: string])[] = [
  ["perfetto", "Perfetto trace"],
  ["chrome", "Chrome JSON"],
  ["otlp", "OpenTelemetry spans (OTLP JSON)"],
  ["stacks", "Collapsed stacks (flame graph)"],
  ["csv", "States as CSV"],
  ["parquet", "States as Parquet"],
];

/** Files go to the user's folder; what is no file is the server's refusal, which must not take the page's place. */
function save(url: string): void {
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.addEventListener("load", () => {
    const answer = frame.contentDocument?.body.textContent ?? "";
    if (answer !== "") complain(refusalIn(answer));
    frame.remove();
  });
  frame.src = url;
  document.body.append(frame);
}

/** The server's own words; a proxy's are no JSON. */
function refusalIn(answer: string): string {
  try {
    return (JSON.parse(answer) as { error?: string }).error ?? answer;
  } catch {
    return answer;
  }
}

export function Toolbar() {
  const now = experiment.value;
  const choose = (value: string): void => {
    const [kind, id] = value.split(":");
    if (kind === "incident") {
      api
        .openIncident(id!)
        .then(async (opened) => {
          await loadLists();
          await switchTo(opened.id);
        })
        .catch(complain);
    } else switchTo(id!).catch(complain);
  };
  const download = (format: string): void => {
    if (format === "png") exportPng();
    else if (format === "print") window.print();
    else if (client.value !== undefined) save(client.value.exportAddress(format, selectedRange.value));
  };
  return (
    <header class="toolbar">
      <h1>
        <Logo /> Periscope
      </h1>
      <select
        aria-label="Trace"
        data-testid="experiments"
        value={`experiment:${client.value?.id ?? ""}`}
        onChange={(event) => choose((event.target as HTMLSelectElement).value)}
      >
        <optgroup label="Traces">
          {experimentList.value.map(({ id, name }) => (
            <option key={id} value={`experiment:${id}`}>
              {name}
            </option>
          ))}
        </optgroup>
        {incidentList.value.length > 0 && (
          <optgroup label="Incidents">
            {incidentList.value.map(({ id, when, cause, hosts }) => (
              <option key={id} value={`incident:${id}`}>
                {when.slice(0, 19).replace("T", " ")} · {cause} · {hosts.join(", ")}
              </option>
            ))}
          </optgroup>
        )}
      </select>
      {now !== undefined && (
        <span class="faint" data-testid="status">
          {now.status === "building"
            ? `reading ${Math.round(100 * now.done)} % …`
            : `${now.eventRecords.toLocaleString("en")} event records · ${now.hosts.join(", ")}`}
          {now.notes.length > 0 && (
            <b class="note" title={now.notes.join("\n")}>
              {" "}
              · {now.notes.length} {now.notes.length === 1 ? "note" : "notes"}
            </b>
          )}
        </span>
      )}
      <span class="stretch" />
      <input
        id="filter"
        type="search"
        placeholder="rows: name, TID, -not  ( / )"
        aria-label="Filter rows"
        value={filter.value}
        onInput={(event) => {
          filter.value = (event.target as HTMLInputElement).value;
        }}
      />
      <select
        aria-label="Sort rows"
        value={sort.value}
        onChange={(event) => {
          sort.value = (event.target as HTMLSelectElement).value as Sort;
        }}
      >
        <option value="activity">most active first</option>
        <option value="name">by container and name</option>
        <option value="tid">by number</option>
      </select>
      <label class="check">
        <input
          type="checkbox"
          checked={hideIdle.value}
          onChange={() => {
            hideIdle.value = !hideIdle.value;
          }}
        />
        hide idle
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={withArrows.value}
          onChange={() => {
            withArrows.value = !withArrows.value;
          }}
        />
        wake-ups
      </label>
      <button
        type="button"
        aria-label="Height of rows"
        title="Height of rows: with words, low, all at once ( h )"
        onClick={nextRowSize}
      >
        ≡
      </button>
      <select
        aria-label="Export"
        value=""
        onChange={(event) => {
          const target = event.target as HTMLSelectElement;
          download(target.value);
          target.value = "";
        }}
      >
        <option value="" disabled>
          Export…
        </option>
        <option value="png">Picture (PNG)</option>
        <option value="print">Print</option>
        {FORMATS.map(([format, label]) => (
          <option
            key={format}
            value={format}
            // Spans are periods.
            disabled={format === "otlp" && (now?.periods.length ?? 0) === 0}
          >
            {label}
          </option>
        ))}
      </select>
      <button
        type="button"
        aria-label="Side panel"
        aria-pressed={panelShown.value}
        onClick={() => {
          panelShown.value = !panelShown.value;
        }}
      >
        Details
      </button>
      <button
        type="button"
        aria-label={theme.value === "dark" ? "Light colours" : "Dark colours"}
        onClick={() => {
          theme.value = theme.value === "dark" ? "light" : "dark";
        }}
      >
        {theme.value === "dark" ? "☀" : "☾"}
      </button>
      <button
        type="button"
        aria-label="Help"
        onClick={() => {
          helpShown.value = true;
        }}
      >
        ?
      </button>
    </header>
  );
}

function Logo() {
  return (
    <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
      <path d="M4 17V6a4 4 0 0 1 4-4h6v5H9v10z" fill="currentColor" />
      <circle cx="12.6" cy="4.5" r="1.5" class="lens" />
    </svg>
  );
}
