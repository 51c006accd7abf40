/** One CPU's records in their order, wherever its pages are kept. */
import { PageCursor } from "./page-cursor.js";

export abstract class CpuReader extends PageCursor {
  /** CPU that wrote the pages. */
  abstract readonly cpu: number;
  /** Records lost since the last one in hand; "some" is kept apart. */
  lostBefore = 0;
  lostUnknown = false;

  /** The next record, of this page or the next one; false at the end. */
  advance(): boolean {
    while (!this.next()) if (!this.turn()) return false;
    return true;
  }

  /** Opens the next page; false: there is none. */
  protected abstract turn(): boolean;

  /** A record is shorter than its event's description says, and is left out. */
  tooShort(): void {}

  abstract close(): void;
}
