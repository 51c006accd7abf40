/** Signals, sent and delivered. */
import { comm, event, i32, u64 } from "../mapping.js";

export const SIGNAL = [
  event("signal/signal_generate", "signal_generate", [
    i32("sig"),
    i32("errno"),
    i32("code"),
    comm("comm"),
    i32("pid"),
    i32("group"),
    i32("result"),
  ]),
  event("signal/signal_deliver", "signal_deliver", [
    i32("sig"),
    i32("errno"),
    i32("code"),
    u64("sa_handler"),
    u64("sa_flags"),
  ]),
];
