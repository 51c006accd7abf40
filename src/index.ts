/** The library's door: what users of `import … from "periscope"` may rely on. */
export {
  type EventQuery,
  type FieldValue,
  type Moment,
  type OpenOptions,
  open,
  type TraceEvent,
  type TraceSet,
} from "./api/trace.js";
export { DataError, MetadataError, PeriscopeError, UsageError } from "./base/errors.js";
export type { ExperimentSummary, StreamSummary, TraceSummary } from "./ctf/summary.js";
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
