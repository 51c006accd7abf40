/** Entry of the relay's thread. */
import { prioritize } from "../../base/priority.js";
import { runRelayThread } from "./thread.js";

// Alarms go before packets.
prioritize(0);
await runRelayThread();
