/** High-resolution timers whose time has come. */
import { event, i64, x64 } from "../mapping.js";

export const TIMER = [
  event("timer/hrtimer_expire_entry", "timer_hrtimer_expire_entry", [
    x64("hrtimer"),
    i64("now"),
    x64("function"),
  ]),
  event("timer/hrtimer_expire_exit", "timer_hrtimer_expire_exit", [x64("hrtimer")]),
];
