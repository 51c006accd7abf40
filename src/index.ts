/** The library's door: what users of `import … from "periscope"` may rely on. */
export { DataError, MetadataError, PeriscopeError, UsageError } from "./base/errors.js";
export { version } from "./version.js";
