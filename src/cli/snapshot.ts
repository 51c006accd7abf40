/** `periscope snapshot`: a running flight recorder writes what it holds. */

import { UsageError } from "../base/errors.js";
import { requestSnapshot, socketPath } from "../record/snapshot-socket.js";
import type { Command } from "./command.js";
import { outputDirectory } from "./record.js";
import { tellOutcome } from "./saved-trace.js";

export const command: Command = {
  spec: {
    name: "snapshot",
    operands: "",
    summary: "Saves what a flight recorder (periscope record --flight-recorder) holds; it goes on recording.",
    options: [
      { name: "output", short: "o", value: "DIR", help: "write there (default: ./periscope-HOST-DATE-TIME)" },
      { name: "name", value: "NAME", help: "of the flight recorder, where there are several" },
      { name: "json", help: "tell what was saved as one JSON object" },
    ],
  },
  async run(args) {
    if (args.operands.length > 0) throw new UsageError(`snapshot: "${args.operands[0]}" is not expected`);
    const { backend, ...saved } = await requestSnapshot(socketPath(args.get("name")), outputDirectory(args));
    tellOutcome({ saved, backend }, args.has("json"));
    return 0;
  },
};
