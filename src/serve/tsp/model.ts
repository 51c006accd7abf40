/**
 * The models of the Trace Server Protocol 0.6.0 (its OpenAPI file names them the same), as far as this server makes
 * them. Times are epoch ns as bigint.
 */

export interface Style {
  readonly parentKey?: string;
  readonly values: Readonly<Record<string, string | number>>;
}

export interface Header {
  readonly name: string;
  readonly tooltip: string;
  readonly dataType?: "NUMBER" | "BINARY_NUMBER" | "TIMESTAMP" | "DURATION" | "STRING" | "TIME_RANGE";
}

export interface TreeEntry {
  readonly id: number;
  /** -1: none. */
  readonly parentId: number;
  readonly labels: readonly string[];
  readonly hasData: boolean;
  readonly style?: Style;
  /** Time graphs. */
  readonly start?: bigint;
  readonly end?: bigint;
  readonly metadata?: Readonly<Record<string, readonly (string | number)[]>>;
  /** XY trees: shown before anybody chooses. */
  readonly isDefault?: boolean;
}

export interface Tree {
  readonly entries: readonly TreeEntry[];
  readonly headers: readonly Header[];
  readonly autoExpandLevel?: number;
}

export interface GraphState {
  readonly start: bigint;
  readonly end: bigint;
  readonly label?: string;
  /** Bits: 1 dimmed, 2 bound, 4 excluded. */
  readonly tags?: number;
  readonly style?: Style;
}

export interface GraphRow {
  readonly entryId: number;
  readonly states: readonly GraphState[];
}

export interface Arrow {
  readonly sourceId: number;
  readonly targetId: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly style?: Style;
}

export interface AxisDescription {
  readonly label: string;
  readonly unit: string;
  readonly dataType: NonNullable<Header["dataType"]>;
  readonly axisDomain?: { readonly type: "range"; readonly start: number; readonly end: number };
}

export interface XySeries {
  readonly seriesId: number;
  readonly seriesName: string;
  readonly style: Style;
  readonly xValues?: readonly bigint[];
  readonly xRanges?: readonly { readonly start: number; readonly end: number }[];
  readonly yValues: readonly number[];
  readonly xValuesDescription: AxisDescription;
  readonly yValuesDescription: AxisDescription;
}

export interface Xy {
  readonly title: string;
  readonly series: readonly XySeries[];
}

export interface Column {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly type: string;
}

export interface TableLine {
  readonly index: number;
  readonly cells: readonly { readonly content: string; readonly tags?: number }[];
  readonly tags?: number;
}

export interface Lines {
  readonly lowIndex: number;
  readonly size: number;
  readonly columnIds: readonly number[];
  readonly lines: readonly TableLine[];
}

export type OutputType =
  | "TABLE"
  | "TREE_TIME_XY"
  | "TIME_GRAPH"
  | "DATA_TREE"
  | "NONE"
  | "GANTT_CHART"
  | "TREE_GENERIC_XY";

export interface Annotation {
  readonly time: bigint;
  readonly duration: bigint;
  readonly entryId: number;
  readonly type: "CHART" | "TREE";
  readonly label: string;
  readonly style: Style;
}

export interface Configuration {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly sourceTypeId: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface DataProviderDescription {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly type: OutputType;
  readonly parentId?: string;
  readonly configuration?: Configuration;
  readonly capabilities?: { readonly canCreate?: boolean; readonly canDelete?: boolean };
}

/** A place in a chart over time. */
export interface Point {
  /** `ns` since the experiment's origin. */
  readonly ns: number;
  readonly y: number | undefined;
  /** Id of the series; undefined: any. */
  readonly item: number | undefined;
}

/** Range of a request, `ns` since the experiment's origin. */
export interface TimeRange {
  readonly beginNs: number;
  readonly endNs: number;
  /** Pixels, samples; 0 not said. */
  readonly count: number;
}
