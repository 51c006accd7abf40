/** Hard interrupts and softirqs. */
import { event, i32, string, u32 } from "../mapping.js";

export const IRQ = [
  event("irq/irq_handler_entry", "irq_handler_entry", [i32("irq"), string("name")]),
  event("irq/irq_handler_exit", "irq_handler_exit", [i32("irq"), i32("ret")]),
  event("irq/softirq_raise", "irq_softirq_raise", [u32("vec")]),
  event("irq/softirq_entry", "irq_softirq_entry", [u32("vec")]),
  event("irq/softirq_exit", "irq_softirq_exit", [u32("vec")]),
];
