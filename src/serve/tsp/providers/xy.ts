/** Charts over time: use of the CPUs, disks, network, memory, and how many event records there are. */
import { formatDuration } from "../../../base/format.js";
import type { Stretch } from "../../../history/pixels.js";
import type { AxisDescription, Tree, TreeEntry, Xy, XySeries } from "../model.js";
import { type Asked, epochOf, KERNEL, type Provider } from "../provider.js";
import { lineStyle } from "../styles.js";
import { HOST_IDS } from "./time-graphs.js";

const USUAL_SAMPLES = 500;
const MOST_THREADS = 500;
/** Id of the series of all CPUs. */
const TOTAL = HOST_IDS;

const TIME: AxisDescription = { label: "Time", unit: "ns", dataType: "TIMESTAMP" };

interface Sample {
  readonly id: number;
  readonly name: string;
  readonly values: readonly number[];
}

function chart(
  { info }: Asked,
  title: string,
  { beginNs, endNs }: Stretch,
  samples: readonly Sample[],
  y: AxisDescription,
  type: "line" | "area" = "line",
): Xy {
  return {
    title,
    series: samples.map(({ id, name, values }, i): XySeries => {
      const width = (endNs - beginNs) / Math.max(1, values.length);
      return {
        seriesId: id,
        seriesName: name,
        style: lineStyle(name, i, type),
        xValues: values.map((_, k) => epochOf(info, beginNs + k * width)),
        yValues: values.map(short),
        xValuesDescription: TIME,
        yValuesDescription: y,
      };
    }),
  };
}

/**
 * A number in at most 15 characters: clients parse with json-bigint, which takes longer ones for integers and fails at
 * their fractions.
 */
function short(value: number): number {
  const rounded = Number(value.toPrecision(9));
  return String(rounded).length <= 15 ? rounded : Number(value.toFixed(6));
}

/** The values of a moment: of a stretch around it that is as wide as a sample of the whole trace. */
function sampleTooltip(provider: Provider): NonNullable<Provider["pointTooltip"]> {
  return async (asked, { ns, item }) => {
    const { info } = asked;
    if (ns < info.beginNs || ns > info.endNs) return {};
    const widthNs = Math.max(2, (info.endNs - info.beginNs) / USUAL_SAMPLES);
    const range = { beginNs: ns - widthNs / 2, endNs: ns + widthNs / 2, count: 1 };
    const items =
      item === undefined
        ? (await provider.tree!(asked, range)).entries
            .filter((one) => one.isDefault === true)
            .map(({ id }) => id)
        : [item];
    const { series } = await provider.xy!(asked, range, items);
    return {
      Time: `${epochOf(info, ns)}`,
      ...Object.fromEntries(
        series.map(({ seriesName, yValues, yValuesDescription: { unit } }) => [
          seriesName,
          `${yValues[0]} ${unit}`.trimEnd(),
        ]),
      ),
      Around: formatDuration(widthNs),
    };
  };
}

const withTooltip = (provider: Provider): Provider => ({
  ...provider,
  pointTooltip: sampleTooltip(provider),
});

const leaf = (id: number, labels: readonly string[], parentId = -1, isDefault = false): TreeEntry => ({
  id,
  parentId,
  labels,
  hasData: true,
  isDefault,
});

/** A chart of some of the history's series. */
function seriesProvider(
  id: string,
  name: string,
  description: string,
  series: readonly string[],
  y: AxisDescription,
): Provider {
  return withTooltip({
    description: { id, name, description, type: "TREE_TIME_XY" },
    tree: async (): Promise<Tree> => ({
      entries: series.map((one, i) => leaf(i, [one], -1, true)),
      headers: [{ name: "Series", tooltip: "" }],
    }),
    async xy(asked, range, items) {
      const all = await asked.experiment.history.series(range, range.count || USUAL_SAMPLES);
      const samples = items.flatMap((item): Sample[] => {
        const found = all.find((one) => one.name === series[item]);
        return found === undefined ? [] : [{ id: item, name: found.name, values: found.values }];
      });
      return chart(asked, name, range, samples, y);
    },
    styles: () => ({}),
  });
}

export const cpuUsage: Provider = withTooltip({
  description: {
    id: `${KERNEL}.cpuusage.CpuUsageDataProvider`,
    name: "CPU Usage",
    description: "Share of a CPU that threads used",
    type: "TREE_TIME_XY",
  },
  async tree(asked, range): Promise<Tree> {
    const { experiment, info } = asked;
    const whole = range ?? { beginNs: info.beginNs, endNs: info.endNs };
    const { cpu, cpuShare } = await experiment.history.range({ beginNs: whole.beginNs, endNs: whole.endNs });
    const cpus = Math.max(1, info.rows.filter(({ kind }) => kind === "cpu").length);
    const lengthNs = Math.max(1, whole.endNs - whole.beginNs);
    const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
    const seconds = (ns: number) => `${(ns / 1e9).toFixed(6)} s`;
    return {
      entries: [
        leaf(TOTAL, ["Total", "", percent(cpuShare * cpus), seconds(cpuShare * cpus * lengthNs)], -1, true),
        ...cpu
          .slice(0, MOST_THREADS)
          .map(({ row, ns, share }) =>
            leaf(
              row,
              [info.rows[row]?.label ?? "?", `${info.rows[row]?.tid ?? ""}`, percent(share), seconds(ns)],
              TOTAL,
            ),
          ),
      ],
      headers: [
        { name: "Thread", tooltip: "Name of the thread" },
        { name: "TID", tooltip: "Number of the thread" },
        { name: "%", tooltip: "Share of one CPU in the range" },
        { name: "Time", tooltip: "Time on CPUs in the range" },
      ],
      autoExpandLevel: -1,
    };
  },
  async xy(asked, range, items) {
    const { experiment, info } = asked;
    const samples = range.count || USUAL_SAMPLES;
    const cpus = Math.max(1, info.rows.filter(({ kind }) => kind === "cpu").length);
    const found: Sample[] = [];
    for (const item of items) {
      if (item === TOTAL) {
        const shares = await experiment.history.cpuShare(range, samples);
        found.push({ id: item, name: "Total", values: shares.map((share) => 100 * cpus * share) });
      } else if (info.rows[item] !== undefined) {
        const shares = await experiment.history.rowShare(item, range, samples);
        found.push({ id: item, name: info.rows[item].label, values: shares.map((share) => 100 * share) });
      }
    }
    return chart(asked, "CPU Usage", range, found, { label: "CPU", unit: "%", dataType: "NUMBER" }, "area");
  },
  styles: () => ({}),
});

const RATE: AxisDescription = { label: "Rate", unit: "B/s", dataType: "BINARY_NUMBER" };

export const diskIo = seriesProvider(
  `${KERNEL}.inputoutput.DisksIODataProvider`,
  "Disk I/O View",
  "Bytes a second read from and written to disks",
  ["disk read", "disk write"],
  RATE,
);

export const networkIo = seriesProvider(
  "periscope.network",
  "Network",
  "Bytes a second received and sent",
  ["network in", "network out"],
  RATE,
);

export const memory = seriesProvider(
  "org.eclipse.tracecompass.analysis.os.linux.core.kernelmemoryusage",
  "Kernel Memory Usage",
  "Memory pages allocated less pages freed since the trace began",
  ["memory"],
  { label: "Memory", unit: "B", dataType: "BINARY_NUMBER" },
);

/** The viewer's overview asks for this id and no other. */
export const histogram: Provider = withTooltip({
  description: {
    id: "org.eclipse.tracecompass.internal.tmf.core.histogram.HistogramDataProvider",
    name: "Histogram",
    description: "How many event records there are over time",
    type: "TREE_TIME_XY",
  },
  tree: async ({ experiment }): Promise<Tree> => ({
    entries: [leaf(0, [experiment.name]), leaf(1, ["Total"], 0, true)],
    headers: [{ name: "Trace", tooltip: "" }],
  }),
  async xy(asked, range, items) {
    const counts = await asked.experiment.history.density(range, range.count || USUAL_SAMPLES);
    const wanted = items.filter((item) => item === 0 || item === 1);
    return chart(
      asked,
      "Histogram",
      range,
      wanted.map((id) => ({ id, name: id === 0 ? asked.experiment.name : "Total", values: counts })),
      { label: "Event records", unit: "", dataType: "NUMBER" },
    );
  },
  styles: () => ({}),
});
