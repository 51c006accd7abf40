/** The library's door: what users of `import … from "periscope"` may rely on. */
export {
  type Analysis,
  type AnyAnalysis,
  type CommonOptions,
  defineAnalysis,
  type Missing,
  onRecords,
  type Scope,
  type TableContext,
} from "./analyses/analysis.js";
export type { AnalysisResult, Lost, Slice } from "./analyses/run.js";
export { exactness, type Stats, statsCells, statsColumns, statsOf } from "./analyses/stats.js";
export {
  type Cell,
  type Column,
  cpuCell,
  duration,
  number,
  processCell,
  ratio,
  size,
  type Table,
  type TableClass,
  type ThreadRef,
  text,
  threadRef,
} from "./analyses/table.js";
export { type AnalyzeOptions, type AnalyzeRequest, type AnalyzeResult, analyze } from "./api/analyze.js";
export {
  criticalPath,
  type ExplainOptions,
  type ThreadQuery,
  type WhyQuery,
  waits,
  why,
} from "./api/explain.js";
export type { Moment } from "./api/moment.js";
export {
  type EventQuery,
  type FieldValue,
  type OpenOptions,
  open,
  type TraceEvent,
  type TraceSet,
} from "./api/trace.js";
export { DataError, MetadataError, PeriscopeError, UsageError } from "./base/errors.js";
export { Series } from "./base/series.js";
export { Top } from "./base/top.js";
export type { ExperimentSummary, StreamSummary, TraceSummary } from "./ctf/summary.js";
export type {
  ClockSpec,
  FieldSpec,
  FieldSpecs,
  IntegerSpec,
  TraceSpec,
  WrittenValue,
} from "./ctf/write/schema.js";
export type { RecordClass, StreamWriter } from "./ctf/write/stream-writer.js";
export { CtfWriter, type CtfWriterOptions } from "./ctf/write/writer.js";
export type { SliceInfo } from "./explain/describe.js";
export type { Who } from "./explain/lineage.js";
export type { Culprit, InstanceSummary, PartInfo } from "./explain/summary.js";
export type { SliceGroup, ThreadTime } from "./explain/thread-time.js";
export type { Cause, CauseGroup, PeriodWhy, Usual, Verdict, Why } from "./explain/why.js";
export type { Capture, PeriodInstance } from "./periods/instance.js";
export type {
  DiscardedInfo,
  EventInfo,
  EventRecord,
  EventSource,
  FieldKind,
  FieldRequest,
  FieldRequests,
  HostInfo,
  RecordOf,
  RunOptions,
  RunResult,
  SourceInfo,
  StreamInfo,
  Subscription,
  TraceInfo,
} from "./sources/source.js";
export { version } from "./version.js";
