/** Which back end records: what is there and may be used. */
import { PeriscopeError } from "../base/errors.js";
import { lttngBackend, whyNoLttngKernel } from "./lttng/backend.js";
import type { Backend, BackendName, FlightOptions, FlightRecorder } from "./recorder.js";
import { tracefsBackend } from "./tracefs/backend.js";
import { whyNoTracefs } from "./tracefs/mount.js";

/**
 * `wanted`, or LTTng with its kernel modules (it has names of files and addresses of peers on every kernel), or
 * tracefs. Throws `PeriscopeError` that says what each lacks.
 */
export function chooseBackend(wanted: BackendName | undefined): Backend {
  if (wanted === "lttng") return lttngBackend;
  const noTracefs = whyNoTracefs();
  if (wanted === undefined) {
    if (whyNoLttngKernel() === undefined) return lttngBackend;
    if (noTracefs === undefined) return tracefsBackend;
    throw new PeriscopeError(`cannot trace this kernel: ${whyNoLttngKernel()}; ${noTracefs}`);
  }
  if (noTracefs !== undefined) throw new PeriscopeError(`cannot trace this kernel: ${noTracefs}`);
  return tracefsBackend;
}

/** Records into memory with the back end that is there. See `FlightRecorder`. */
export function openFlightRecorder(
  options: FlightOptions & { readonly backend?: BackendName | undefined },
): Promise<FlightRecorder> {
  return chooseBackend(options.backend).openFlightRecorder(options);
}
