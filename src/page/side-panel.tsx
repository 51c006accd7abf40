/** What is selected: the sums of a range, a state, or an instance with its waterfall and its explanation. */

import { signal } from "@preact/signals";
import { type ComponentChildren, Fragment } from "preact";
import { useEffect } from "preact/hooks";
import { complain, selectInstance, selectRange, showCritical, showEventsAt } from "./actions.js";
import type { ExperimentClient } from "./api-client.js";
import { DOING_LABELS, type PeriodLine, type RangeSummary } from "./contract.js";
import { colorsOf, seriesColor } from "./palette.js";
import { paragraphs } from "./paragraphs.js";
import {
  client,
  critical,
  cursorNs,
  experiment,
  instances,
  pinned,
  rowName,
  type Selection,
  selectedRange,
  selection,
  shown,
  theme,
  toggle,
  view,
} from "./state.js";
import { bytes, clock, duration, epoch, percent } from "./text.js";
import { showLine } from "./timeline-view.js";
import type { Range } from "./view.js";

const summary = signal<RangeSummary | undefined>(undefined);
/** Of one instance of one trace. */
const whyText = signal<
  { readonly source: ExperimentClient; readonly id: number; readonly lines: readonly string[] } | undefined
>(undefined);
const explaining = signal(-1);
/** Lines of a list. */
const MOST = 8;
const SETTLE_MS = 150;

export function SidePanel() {
  const range = selectedRange.value ?? shown.value;
  const source = client.value;
  useEffect(() => {
    if (source === undefined || experiment.value === undefined) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      source
        .range(range, abort.signal)
        .then((found) => {
          summary.value = found;
        })
        .catch((error: Error) => {
          if (error.name !== "AbortError") complain(error);
        });
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [range.beginNs, range.endNs, source, experiment.value?.knownUntilNs]);
  const now = selection.value;
  return (
    <aside class="panel" data-testid="panel" aria-label="Details">
      {now.kind === "instance" && <Instance key={now.line[0]} chosen={now} />}
      {now.kind === "state" && <State chosen={now} />}
      <RangeSums range={range} isSelected={selectedRange.value !== undefined} />
    </aside>
  );
}

function Exact({ ns }: { ns: number }) {
  const { originNs, beginNs } = experiment.value!;
  return (
    <span
      class="exact"
      title={`epoch ${epoch(originNs, ns)} ns; ${Math.round(ns - beginNs)} ns after the trace's begin`}
    >
      {clock(originNs, ns)}
    </span>
  );
}

function Bar({
  label,
  value,
  share,
  color,
  onClick,
  title,
}: {
  label: string;
  value: string;
  share: number;
  color: string;
  onClick?: () => void;
  title?: string;
}) {
  const body = (
    <>
      <span
        class="bar"
        style={{ width: `${Math.max(0.5, Math.min(100, 100 * share))}%`, background: color }}
      />
      <span class="bar-label">{label}</span>
      <span class="bar-value">{value}</span>
    </>
  );
  return onClick === undefined ? (
    <div class="bar-line" title={title}>
      {body}
    </div>
  ) : (
    <button type="button" class="bar-line" onClick={onClick} title={title}>
      {body}
    </button>
  );
}

function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** Pinned rows are at the top: there it is seen. */
const pin = (row: number): void => {
  pinned.value = toggle(pinned.value, row);
  showLine(row);
};

function RangeSums({ range, isSelected }: { range: Range; isSelected: boolean }) {
  const found = summary.value;
  if (experiment.value === undefined) return null;
  const colors = colorsOf(theme.value);
  const usual = seriesColor(theme.value, 0);
  return (
    <div data-testid="range">
      <h2>{isSelected ? "Selected range" : "Shown range"}</h2>
      <p class="facts">
        <Exact ns={range.beginNs} /> ·{" "}
        <b data-testid="range-length">{duration(range.endNs - range.beginNs)}</b>
        {isSelected && (
          <>
            <button
              type="button"
              class="small"
              onClick={() => view.value?.showAround(range.beginNs, range.endNs, 0)}
            >
              Zoom to it
            </button>
            <button type="button" class="small" onClick={() => selectRange(undefined)}>
              Clear
            </button>
          </>
        )}
      </p>
      {found !== undefined && (
        <>
          <Section title={`CPU · ${percent(found.cpuShare)} of all`}>
            <div data-testid="cpu">
              {found.cpu.slice(0, MOST).map(({ row, label, ns, share }) => (
                <Bar
                  key={row}
                  label={label}
                  value={`${duration(ns)} · ${percent(share)}`}
                  share={share}
                  color={colors[2]}
                  onClick={() => pin(row)}
                  title="Pin this row"
                />
              ))}
            </div>
          </Section>
          <Waits found={found} range={range} />
          <Section title="System calls">
            <table class="sums">
              <thead>
                <tr>
                  <th>call</th>
                  <th>count</th>
                  <th>total</th>
                  <th>longest</th>
                </tr>
              </thead>
              <tbody data-testid="syscalls">
                {found.syscalls.slice(0, MOST).map(({ name, count, totalNs, maxNs }) => (
                  <tr key={name}>
                    <td>{name}</td>
                    <td>{count}</td>
                    <td>{duration(totalNs)}</td>
                    <td>{duration(maxNs)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Section>
          {found.disks.length + found.networks.length > 0 && (
            <Section title="Disks and network">
              {found.disks.map((one) => (
                <div class="io" key={one.label}>
                  <b>{one.label}</b>
                  <span>
                    read {bytes(one.readBytes)} ({one.reads}), written {bytes(one.writtenBytes)} ({one.writes}
                    ), longest {duration(one.maxNs)}
                  </span>
                </div>
              ))}
              {found.networks.map((one) => (
                <div class="io" key={one.label}>
                  <b>{one.label}</b>
                  <span>
                    in {bytes(one.receivedBytes)} ({one.received}), out {bytes(one.sentBytes)} ({one.sent})
                  </span>
                </div>
              ))}
            </Section>
          )}
          {found.irqs.length > 0 && (
            <Section title="Interrupts">
              {found.irqs.slice(0, 5).map(({ label, count, totalNs }) => (
                <Bar
                  key={label}
                  label={label}
                  value={`${count} · ${duration(totalNs)}`}
                  share={totalNs / Math.max(1, found.irqs[0]!.totalNs)}
                  color={usual}
                />
              ))}
            </Section>
          )}
        </>
      )}
    </div>
  );
}

function Waits({ found, range }: { found: RangeSummary; range: Range }) {
  const colors = colorsOf(theme.value);
  const length = range.endNs - range.beginNs;
  // Waiting all the time is what most threads do: it explains nothing.
  const told = found.waits.filter(({ doing, ns }) => DOING_LABELS[doing] !== "sleeps" && ns < 0.95 * length);
  return (
    <Section title="Waits">
      {told.slice(0, MOST).map(({ row, label, doing, ns }) => (
        <Bar
          key={`${row} ${doing}`}
          label={`${label} ${DOING_LABELS[doing]}`}
          value={duration(ns)}
          share={ns / length}
          color={colors[doing]}
          onClick={() => pin(row)}
          title="Pin this row"
        />
      ))}
    </Section>
  );
}

function State({ chosen: { moment } }: { chosen: Extract<Selection, { kind: "state" }> }) {
  const { row, beginNs, endNs, doing, label, details, other } = moment;
  const isThread = experiment.value?.rows[row]?.kind === "thread";
  return (
    <div data-testid="state" class="card">
      <h2>
        <i class="swatch" style={{ background: colorsOf(theme.value)[doing] }} />
        {rowName(row)}
      </h2>
      <p class="facts">
        <b>{DOING_LABELS[doing]}</b> {label}
      </p>
      <dl>
        <dt>from</dt>
        <dd>
          <Exact ns={beginNs} />
        </dd>
        <dt>for</dt>
        <dd>
          {duration(endNs - beginNs)} <span class="faint">({Math.round(endNs - beginNs)} ns)</span>
        </dd>
        {details
          .filter(([name]) => name !== "for")
          .map(([name, value]) => (
            <Fragment key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </Fragment>
          ))}
      </dl>
      <p class="buttons">
        <button type="button" onClick={() => view.value?.showAround(beginNs, endNs)}>
          Zoom to it
        </button>
        {isThread && (
          <button type="button" onClick={() => void showCritical(row, { beginNs, endNs })}>
            Critical path
          </button>
        )}
        {other >= 0 && (
          <button type="button" onClick={() => pin(other)}>
            {pinned.value.has(other) ? "Unpin" : "Pin"} {rowName(other)}
          </button>
        )}
        <button type="button" onClick={() => showEventsAt(beginNs)}>
          Events
        </button>
      </p>
    </div>
  );
}

async function explain(line: PeriodLine): Promise<void> {
  const source = client.value;
  if (source === undefined) return;
  explaining.value = line[0];
  try {
    whyText.value = { source, id: line[0], lines: (await source.why(line[0])).text };
  } catch (error) {
    complain(error);
  }
  explaining.value = -1;
}

function Instance({ chosen: { line, details } }: { chosen: Extract<Selection, { kind: "instance" }> }) {
  const [id, period, beginNs, endNs, row] = line;
  const info = experiment.value?.periods[period];
  const range = { beginNs, endNs };
  const why = whyText.value;
  const text = why?.id === id && why.source === client.value ? why.lines : undefined;
  return (
    <div data-testid="instance" class="card">
      <h2>
        <i class="swatch" style={{ background: seriesColor(theme.value, period) }} />
        {info?.path ?? "?"}
        <b class="big">{duration(endNs - beginNs)}</b>
      </h2>
      <p class="facts">
        <Exact ns={beginNs} /> {row >= 0 && <>· {rowName(row)}</>}
        {details !== undefined && (
          <>
            {" "}
            ·{" "}
            {Math.round(details.rank * (info?.count ?? 0)) >= (info?.count ?? 0) - 1 ? (
              <b>the longest of {info?.count}</b>
            ) : (
              <>
                longer than <b>{percent(details.rank)}</b> of {info?.count}
              </>
            )}
          </>
        )}
      </p>
      {details !== undefined && details.captures.length > 0 && (
        <dl>
          {details.captures.map(([key, value]) => (
            <Fragment key={key}>
              <dt>{key}</dt>
              <dd>{value}</dd>
            </Fragment>
          ))}
        </dl>
      )}
      <Parent of={line} />
      <Waterfall root={line} />
      <p class="buttons">
        <button
          type="button"
          class="main"
          onClick={() => void explain(line)}
          disabled={explaining.value >= 0}
        >
          {explaining.value === id ? "Explaining …" : "Why?"}
        </button>
        {row >= 0 && (
          <button type="button" onClick={() => void showCritical(row, range)}>
            Critical path
          </button>
        )}
        {critical.value !== undefined && (
          <button
            type="button"
            onClick={() => {
              critical.value = undefined;
            }}
          >
            Hide path
          </button>
        )}
        <button type="button" onClick={() => view.value?.showAround(beginNs, endNs)}>
          Zoom to it
        </button>
      </p>
      {text !== undefined && (
        <div class="why" data-testid="why">
          <WhyText lines={text} />
        </div>
      )}
    </div>
  );
}

/** The command line's words: its sentences run on, its columns are a table; its phases are the waterfall above. */
function WhyText({ lines }: { lines: readonly string[] }) {
  return (
    <>
      {paragraphs(lines).map(({ kind, text, rows }, i) => {
        const key = `${i}`;
        if (kind === "bars") return null;
        if (kind === "heading") return <h4 key={key}>{text}</h4>;
        return (
          <Fragment key={key}>
            {text !== "" && <p>{text}</p>}
            {kind === "table" && <Columns rows={rows} />}
            {kind === "lines" && rows.map(([line], k) => <Record key={`${k}`} line={line!} />)}
          </Fragment>
        );
      })}
    </>
  );
}

function Columns({ rows }: { rows: readonly (readonly string[])[] }) {
  return (
    <table class="sums">
      <tbody>
        {rows.map((cells) => (
          <tr key={cells[0]}>
            {cells.map((cell, i) => (
              <td key={`${i}`}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** An event record: when and where in the first line, what in the next. */
function Record({ line }: { line: string }) {
  const [, where, name, fields] = /^(\S+ \([^)]*\)) (\S+) ?(.*)$/.exec(line) ?? [];
  if (where === undefined) return <p class="record">{line}</p>;
  return (
    <p class="record">
      <span class="faint">{where}</span>
      <br />
      <b>{name}</b> {fields}
    </p>
  );
}

/** The instance that this one is a part of. */
function Parent({ of }: { of: PeriodLine }) {
  const parent = of[5] < 0 ? undefined : instances.value.find(([id]) => id === of[5]);
  if (parent === undefined) return null;
  return (
    <p class="path">
      <button type="button" data-testid="parent" onClick={() => void selectInstance(parent, false)}>
        ↑ {experiment.value?.periods[parent[1]]?.name} ({duration(parent[3] - parent[2])})
      </button>
    </p>
  );
}

/** An instance and what is below it, to scale. */
function Waterfall({ root }: { root: PeriodLine }) {
  const [rootId, , beginNs, endNs] = root;
  const depths = new Map<number, number>([[rootId, 0]]);
  const lines: PeriodLine[] = [root];
  for (const one of instances.value) {
    const depth = depths.get(one[5]);
    if (depth === undefined) continue;
    depths.set(one[0], depth + 1);
    lines.push(one);
  }
  if (lines.length < 2) return null;
  const length = Math.max(1, endNs - beginNs);
  const groups = new Map<string, PeriodLine[]>();
  for (const one of lines) {
    const key = `${one[1]}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return (
    <div class="waterfall" data-testid="waterfall">
      {[...groups.values()].map((group) => {
        const [, period] = group[0]!;
        const total = group.reduce((sum, one) => sum + one[3] - one[2], 0);
        const { name } = experiment.value!.periods[period]!;
        return (
          <div class="fall" key={period}>
            <span class="fall-name" style={{ paddingLeft: `${10 * (depths.get(group[0]![0]) ?? 0)}px` }}>
              {name}
              {group.length > 1 ? ` ×${group.length}` : ""}
            </span>
            <span class="fall-track">
              {group.slice(0, 200).map((one) => (
                <button
                  type="button"
                  key={one[0]}
                  class="fall-bar"
                  aria-label={`${name}, ${duration(one[3] - one[2])}`}
                  style={{
                    left: `${(100 * (one[2] - beginNs)) / length}%`,
                    width: `max(2px, ${(100 * (one[3] - one[2])) / length}%)`,
                    background: seriesColor(theme.value, period),
                  }}
                  onClick={() => {
                    cursorNs.value = one[2];
                    void selectInstance(one, false);
                  }}
                />
              ))}
            </span>
            <span class="fall-value">{duration(total)}</span>
          </div>
        );
      })}
    </div>
  );
}
