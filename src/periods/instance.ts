/** One instance of a period. */
import type { CaptureDefinition, PeriodDefinition } from "./define.js";
import type { PeriodValue } from "./values.js";

export interface Capture {
  readonly key: string;
  /** Null: the event record had no such value. */
  readonly value: PeriodValue;
}

export interface PeriodInstance {
  /** In order of begin, over all definitions. */
  readonly id: number;
  readonly definition: PeriodDefinition;
  readonly parent: PeriodInstance | undefined;
  /** Those that have ended, in order of end; empty unless the engine keeps trees. */
  readonly children: readonly PeriodInstance[];
  /** `ns` since the source's origin; the end is NaN while it is open. */
  readonly beginNs: number;
  readonly endNs: number;
  /** Its end expression became true; otherwise an ancestor or the trace ended first. */
  readonly completed: boolean;
  /** Event records were lost while it was open: its true end may be among them. */
  readonly uncertain: boolean;
  /** Index of the host, and the CPU number, of the event record that began it. */
  readonly host: number;
  readonly cpu: number;
  /** The CPU number of the event record that ended it; -1 when none did. */
  readonly endCpu: number;
  readonly beginCaptures: readonly Capture[];
  readonly endCaptures: readonly Capture[];
}

const NONE: readonly never[] = [];

/** The engine's own view of it. Open instances of a definition, and of a parent, are linked in order of begin. */
export class Instance implements PeriodInstance {
  endNs = Number.NaN;
  endCpu = -1;
  completed = false;
  uncertain = false;
  children: Instance[] = NONE as readonly Instance[] as Instance[];
  beginValues: readonly PeriodValue[] = NONE;
  endValues: readonly PeriodValue[] = NONE;
  /** Number of holes of its host when it began. */
  holes = 0;

  /** Children that begin once and have, by definition. */
  begun: boolean[] | undefined = undefined;

  previousOpen: Instance | undefined = undefined;
  nextOpen: Instance | undefined = undefined;
  firstChild: Instance | undefined = undefined;
  previousSibling: Instance | undefined = undefined;
  nextSibling: Instance | undefined = undefined;

  constructor(
    readonly id: number,
    readonly definition: PeriodDefinition,
    readonly parent: Instance | undefined,
    readonly beginNs: number,
    readonly host: number,
    readonly cpu: number,
    /** What is read of its begin event record later on. */
    readonly kept: readonly unknown[],
  ) {}

  get open(): boolean {
    return Number.isNaN(this.endNs);
  }

  get beginCaptures(): Capture[] {
    return pairs(this.definition.beginCaptures, this.beginValues);
  }

  get endCaptures(): Capture[] {
    return pairs(this.definition.endCaptures, this.endValues);
  }
}

function pairs(definitions: readonly CaptureDefinition[], values: readonly PeriodValue[]): Capture[] {
  return values.map((value, i) => ({ key: definitions[i]!.key, value }));
}
