/** Which thread gets a CPU first when there are not enough. */
import { setPriority } from "node:os";

/** Of programs that must react at once, and of work that can wait. */
export const URGENT = -10;
export const BACKGROUND = 10;

/** Sets the calling thread's niceness (and of threads that it begins later); without the right to, nothing happens. */
export function prioritize(niceness: number): void {
  try {
    setPriority(0, niceness);
  } catch {
    // Only root may be urgent.
  }
}
