/** The outputs that every experiment has, and those that configurations made. */
import type { PeriodArguments } from "../../periods/define.js";
import type { OpenExperiment } from "../experiment.js";
import { uuidOf } from "../experiment.js";
import { HttpError, notFound } from "../http.js";
import type { Configuration } from "./model.js";
import type { Provider } from "./provider.js";
import { CRITICAL_ID, configuredTarget, criticalPathProvider } from "./providers/critical-path.js";
import { eventTable } from "./providers/events.js";
import { type LatencyOutput, latencyProviders } from "./providers/latencies.js";
import { PERIODS_ID, periodParameters, periodTimeline } from "./providers/periods.js";
import { resourcesStatus, threadStatus } from "./providers/time-graphs.js";
import { cpuUsage, diskIo, histogram, memory, networkIo } from "./providers/xy.js";

const SEGMENTS = "org.eclipse.tracecompass.internal.analysis.timing.core.segmentstore";

/** Ids as Trace Compass makes them: of the view, then of the analysis. */
function segmentIds(analysis: string): LatencyOutput["ids"] {
  return {
    scatter: `${SEGMENTS}.scatter.dataprovider:${analysis}`,
    table: `${SEGMENTS}.SegmentStoreTableDataProvider:${analysis}`,
    statistics: `${SEGMENTS}.SegmentStoreStatisticsDataProvider:${analysis}`,
    density: `${SEGMENTS}.SegmentStoreDensityDataProvider:${analysis}`,
  };
}

const LATENCIES: readonly LatencyOutput[] = [
  {
    source: "syscalls",
    ids: segmentIds("org.eclipse.tracecompass.analysis.os.linux.latency.syscall"),
    name: "System Call Latency",
  },
  {
    source: "scheduling",
    ids: segmentIds("org.eclipse.tracecompass.analysis.os.linux.core.swslatency.sws"),
    name: "Scheduling Latency (wake-up to running)",
  },
  { source: "irqs", ids: segmentIds("lttng.analysis.irq"), name: "IRQ Statistics" },
  { source: "futexes", ids: segmentIds("lttng.analysis.futex"), name: "Futex Contention" },
  { source: "periods", ids: segmentIds(PERIODS_ID), name: "Periods" },
];

const FIXED: readonly Provider[] = [
  threadStatus,
  resourcesStatus,
  cpuUsage,
  diskIo,
  networkIo,
  memory,
  ...LATENCIES.flatMap((output) => latencyProviders(output)),
  periodTimeline(),
  criticalPathProvider(),
  eventTable,
  histogram,
];

/** Sorts of configurations, and the outputs that take them. */
export const CONFIGURATION_TYPES = [
  {
    id: PERIODS_ID,
    name: "Periods",
    description: "Definitions of periods, as periscope's --period takes them",
    parent: PERIODS_ID,
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: {
        periods: {
          type: "array",
          items: { type: "string" },
          minItems: 1,
          description: "NAME(PARENT) : BEGIN : END",
        },
        captures: { type: "array", items: { type: "string" }, description: "NAME : KEY = $evt.FIELD, …" },
      },
      required: ["periods"],
    },
  },
  {
    id: "periscope.critical-path",
    name: "Critical path of a thread",
    description: "A thread, and a range of time",
    parent: CRITICAL_ID,
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: {
        tid: { type: "integer", description: "Number of the thread" },
        begin: { type: "integer", description: "Epoch ns; default: the trace's begin" },
        end: { type: "integer", description: "Epoch ns; default: the trace's end" },
      },
      required: ["tid"],
    },
  },
] as const;

export class Outputs {
  readonly #derived = new Map<string, Provider[]>();

  constructor(private readonly experiment: OpenExperiment) {}

  all(): readonly Provider[] {
    return [...FIXED, ...[...this.#derived.values()].flat()];
  }

  /** Throws `HttpError` 404. */
  find(id: string): Provider {
    const found = this.all().find(({ description }) => description.id === id);
    if (found === undefined) throw notFound(`output ${id}`);
    return found;
  }

  /** A new output from the output `parent` and a configuration. Throws `HttpError` 400 and 404. */
  async derive(parent: string, given: Omit<Configuration, "id">): Promise<Provider> {
    this.find(parent);
    const type = CONFIGURATION_TYPES.find(({ id }) => id === given.sourceTypeId);
    if (type === undefined || type.parent !== parent) {
      throw new HttpError(
        400,
        "Invalid configuration",
        `sourceTypeId: ${parent} takes no ${given.sourceTypeId}`,
      );
    }
    const id = uuidOf(
      `${this.experiment.id} ${given.sourceTypeId} ${given.name} ${JSON.stringify(given.parameters, exact)}`,
    );
    const configuration: Configuration = { id, ...given };
    const known = this.#derived.get(id);
    if (known !== undefined) return known[0]!;
    let made: Provider[];
    if (type.id === PERIODS_ID) {
      const definitions: PeriodArguments = periodParameters(given.parameters);
      await this.experiment.addPeriods(definitions, id);
      const ids = segmentIds(`${PERIODS_ID}:${id}`);
      made = [
        periodTimeline(id, configuration),
        ...latencyProviders({ source: "periods", ids, name: given.name, key: id, configuration }),
      ];
    } else {
      const info = await this.experiment.info();
      // While the trace is still being read the thread may be yet to come.
      if (info.complete) configuredTarget(info, given.parameters);
      made = [criticalPathProvider(id, configuration)];
    }
    this.#derived.set(id, made);
    return made[0]!;
  }

  /** Forgets what a configuration made. Throws `HttpError` 400 for outputs that are always there, 404. */
  remove(id: string): Provider {
    const provider = this.find(id);
    const { configuration } = provider.description;
    if (configuration === undefined) throw new HttpError(400, "This output cannot be deleted", id);
    this.#derived.delete(configuration.id);
    return provider;
  }
}

const exact = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value);
