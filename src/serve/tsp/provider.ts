/** What an output of an experiment can be asked; those that it cannot answer are left out. */
import type { OpenExperiment } from "../experiment.js";
import type { HistoryInfo } from "../history-service.js";
import type {
  Annotation,
  Arrow,
  Column,
  DataProviderDescription,
  GraphRow,
  Lines,
  Point,
  Style,
  TimeRange,
  Tree,
  Xy,
} from "./model.js";
import type { Parameters } from "./request.js";

/** A request's experiment. */
export interface Asked {
  readonly experiment: OpenExperiment;
  readonly info: HistoryInfo;
  readonly parameters: Parameters;
}

export interface Provider {
  readonly description: DataProviderDescription;
  readonly tree?: (asked: Asked, range: TimeRange | undefined) => Promise<Tree>;
  readonly states?: (
    asked: Asked,
    range: TimeRange,
    items: readonly number[],
  ) => Promise<readonly GraphRow[]>;
  readonly arrows?: (asked: Asked, range: TimeRange) => Promise<readonly Arrow[]>;
  readonly tooltip?: (asked: Asked, ns: number, item: number) => Promise<Readonly<Record<string, string>>>;
  readonly xy?: (asked: Asked, range: TimeRange, items: readonly number[]) => Promise<Xy>;
  readonly pointTooltip?: (asked: Asked, point: Point) => Promise<Readonly<Record<string, string>>>;
  readonly columns?: () => readonly Column[];
  readonly lines?: (asked: Asked) => Promise<Lines>;
  readonly styles?: () => Readonly<Record<string, Style>>;
  /** By category. */
  readonly annotations?: (
    asked: Asked,
    range: TimeRange,
  ) => Promise<Readonly<Record<string, readonly Annotation[]>>>;
  readonly categories?: readonly string[];
}

/** Epoch ns of a moment. */
export function epochOf({ originNs }: HistoryInfo, ns: number): bigint {
  return originNs + BigInt(Math.round(ns));
}

export const KERNEL = "org.eclipse.tracecompass.internal.analysis.os.linux.core";
