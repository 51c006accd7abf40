/**
 * What the page asks of its server, and what it gets: the one description that both sides compile against.
 *
 * All moments are `ns` since the experiment's `originNs` as JavaScript numbers, exact for 104 days; the origin
 * itself is a decimal string, because epoch nanoseconds are not exact as numbers. All paths are below the server's
 * prefix and `api/`; errors are `{ "error": "one line" }` with status 400, 404 or 500.
 *
 *     GET  experiments                                  ExperimentInfo[]
 *     GET  experiments/ID                               Experiment
 *     GET  experiments/ID/tile?rows=&level=&index=      binary, see `TILE_PIXELS`
 *     GET  experiments/ID/states?rows=&begin=&end=&least=    RowStates[] (that last `least` ns or longer)
 *     GET  experiments/ID/at?row=&ns=                   Moment
 *     GET  experiments/ID/arrows?begin=&end=&rows=      Arrows
 *     GET  experiments/ID/critical?row=&begin=&end=     CriticalPath
 *     GET  experiments/ID/density?begin=&end=&pixels=   number[] (event records)
 *     GET  experiments/ID/series?begin=&end=&pixels=    Series[]
 *     GET  experiments/ID/periods?begin=&end=&limit=    PeriodInstances
 *     GET  experiments/ID/instance?id=                  InstanceDetails
 *     GET  experiments/ID/why?id=                       WhyAnswer
 *     GET  experiments/ID/range?begin=&end=             RangeSummary
 *     GET  experiments/ID/events?ns=|index=&count=&search=&direction=   EventLines
 *     GET  experiments/ID/export?format=&begin=&end=    a file
 *     GET  incidents                                    IncidentLine[]
 *     POST incidents/ID/open                            ExperimentInfo
 *
 * `rows` are ids and ranges of ids: `1,4-9`.
 */
import type { Doing } from "../history/doing.js";

export { DOING_LABELS, Doing, ON_CPU } from "../history/doing.js";
export type { RangeSummary } from "../history/range-summary.js";

/**
 * Width of a tile in pixels. A tile of `level` L has pixels of 2^L ns and covers the `index`-th stretch of
 * `TILE_PIXELS * 2^L` ns from the experiment's `beginNs`. The reply has two bytes for each pixel, pixels of a row in
 * order of time, rows in the order asked for: the `Doing` that took most of the pixel's time (states on a CPU before
 * waits, where they took more than a tenth), and its share of it, 0 … 255. The header `Periscope-Known-Until` is the
 * moment up to which the trace had been read.
 */
export const TILE_PIXELS = 512;

export interface ExperimentInfo {
  readonly id: string;
  readonly name: string;
  readonly paths: readonly string[];
  /** `building`: queries are answered for what is read so far. */
  readonly status: "building" | "ready" | "failed";
  /** Share that is read, 0 … 1. */
  readonly done: number;
  readonly error?: string;
}

export interface Experiment extends ExperimentInfo {
  /** Epoch ns of moment 0, decimal. */
  readonly originNs: string;
  readonly beginNs: number;
  readonly endNs: number;
  /** The trace is read up to here. */
  readonly knownUntilNs: number;
  readonly eventRecords: number;
  readonly hosts: readonly string[];
  readonly rows: readonly RowInfo[];
  /** Definitions of the periods, parents before children. */
  readonly periods: readonly PeriodInfo[];
  /** Profile that the periods are from; "" none. */
  readonly profile: string;
  /** Lost events and the like: one line each. */
  readonly notes: readonly string[];
}

export interface RowInfo {
  /** From 0, dense. */
  readonly id: number;
  readonly kind: "cpu" | "thread" | "disk";
  readonly host: string;
  /** `CPU 0`, `mysqld`, `sda`. */
  readonly label: string;
  /** Threads: numbers; -1 else. */
  readonly tid: number;
  readonly pid: number;
  /** Name of the process (its first thread). */
  readonly process: string;
  /** Id of its container (cgroup or PID namespace), "" the host's own. */
  readonly container: string;
  /** On a CPU, all in all (CPUs: not idle; disks: with requests), ns. */
  readonly activeNs: number;
  /** How many states it has. */
  readonly states: number;
}

export interface PeriodInfo {
  /** `request/db_queries` */
  readonly path: string;
  readonly name: string;
  /** Index of the parent; -1 none. */
  readonly parent: number;
  readonly count: number;
}

export interface RowStates {
  readonly row: number;
  /** There were more than the limit: none is given. */
  readonly tooMany: boolean;
  /** In order of time, cut to nothing: whole states that touch the range. */
  readonly states: readonly StateLine[];
}

/** Begin, end, `Doing`, and what to write on it: a system call, a process on a CPU, a file that is waited for. */
export type StateLine = readonly [beginNs: number, endNs: number, doing: Doing, label: string];

/** Everything about one moment of a row. */
export interface Moment {
  readonly row: number;
  readonly beginNs: number;
  readonly endNs: number;
  readonly doing: Doing;
  readonly label: string;
  /** For the tooltip, in order. */
  readonly details: readonly (readonly [name: string, value: string])[];
  /** The row that goes with it: of the thread on a CPU, of the waker; -1 none. */
  readonly other: number;
}

export interface Arrows {
  /** There are more: only some are given. */
  readonly tooMany: boolean;
  /** Who woke whom: moment, row of the waker (a thread), row of the woken thread. */
  readonly arrows: readonly (readonly [ns: number, from: number, to: number])[];
}

export interface CriticalPath {
  readonly slices: readonly {
    /** The row whose time it is. */
    readonly row: number;
    readonly beginNs: number;
    readonly endNs: number;
    readonly doing: Doing;
    readonly label: string;
  }[];
}

export interface Series {
  /** `cpu`, `disk read`, `disk write`, `network in`, `network out`, `memory`, … */
  readonly name: string;
  /** `share` (0 … 1), `bytes/s`, `bytes`. */
  readonly unit: string;
  readonly values: readonly number[];
}

/** Instance: id, index of its definition, begin, end (of open ones the trace's), row of its thread or -1, parent's id or -1. */
export type PeriodLine = readonly [
  id: number,
  period: number,
  beginNs: number,
  endNs: number,
  row: number,
  parent: number,
];

export interface PeriodInstances {
  /** There are more in the range: the longest are given. */
  readonly tooMany: boolean;
  /** In order of begin. */
  readonly instances: readonly PeriodLine[];
}

export interface InstanceDetails {
  readonly id: number;
  readonly path: string;
  readonly beginNs: number;
  readonly endNs: number;
  readonly row: number;
  readonly captures: readonly (readonly [key: string, value: string])[];
  /** Share of all instances of this period that are shorter, 0 … 1. */
  readonly rank: number;
}

export interface WhyAnswer {
  /** As `periscope why` words it, without colour. */
  readonly text: readonly string[];
}

export interface EventLines {
  /** Index of the first line in the trace. */
  readonly index: number;
  readonly total: number;
  readonly lines: readonly {
    readonly index: number;
    readonly ns: number;
    readonly cpu: number;
    readonly name: string;
    readonly text: string;
    /** Of the thread that ran; -1 not known. */
    readonly row: number;
  }[];
}

export interface IncidentLine {
  readonly id: string;
  /** ISO 8601. */
  readonly when: string;
  readonly cause: string;
  readonly hosts: readonly string[];
  readonly bytes: number;
}
