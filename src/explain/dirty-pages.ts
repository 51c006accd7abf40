/**
 * Who made pages dirty that kernel workers write to the disk later: the block layer only sees the worker.
 *
 * Every dirtied buffer adds to what its thread has outstanding on the device; every write that a kernel worker
 * submits is charged to whoever has most outstanding there, and reduces it. Buffers of files that have no place on
 * the disk yet (delayed allocation) are counted like the others, which is why sectors are not compared. Dirtying a
 * dirty buffer again is counted again, so that shares of very different sizes are told apart with certainty, and
 * those of similar size are not. What is older than the kernel keeps pages dirty (30 s, and some) is forgotten.
 */
import type { Thread } from "../kernel/state.js";

const EXPIRE_NS = 45e9;

interface Share {
  readonly thread: Thread;
  bytes: number;
  lastNs: number;
}

export class DirtyPages {
  readonly #devices = new Map<string, Map<number, Share>>();
  /** Bytes made dirty, by thread `id`, since the run began. */
  readonly total: number[] = [];

  dirtied(host: number, dev: number, thread: Thread, bytes: number, ns: number): void {
    const shares = this.#shares(host, dev);
    const share = shares.get(thread.id);
    if (share === undefined) shares.set(thread.id, { thread, bytes, lastNs: ns });
    else {
      if (ns - share.lastNs > EXPIRE_NS) share.bytes = 0;
      share.bytes += bytes;
      share.lastNs = ns;
    }
    this.total[thread.id] = (this.total[thread.id] ?? 0) + bytes;
  }

  /** A thread wrote its own data: it has that much less outstanding. */
  written(host: number, dev: number, thread: Thread, bytes: number): void {
    const share = this.#devices.get(`${host} ${dev}`)?.get(thread.id);
    if (share !== undefined) share.bytes = Math.max(0, share.bytes - bytes);
  }

  /** Whose data a worker writes, most probably; undefined: nobody is known to have any. */
  charge(host: number, dev: number, bytes: number, ns: number): Thread | undefined {
    const shares = this.#shares(host, dev);
    let most: Share | undefined;
    for (const share of shares.values()) {
      if (ns - share.lastNs > EXPIRE_NS) shares.delete(share.thread.id);
      else if (share.bytes > 0 && (most === undefined || share.bytes > most.bytes)) most = share;
    }
    if (most === undefined) return undefined;
    most.bytes = Math.max(0, most.bytes - bytes);
    return most.thread;
  }

  #shares(host: number, dev: number): Map<number, Share> {
    const key = `${host} ${dev}`;
    let shares = this.#devices.get(key);
    if (shares === undefined) this.#devices.set(key, (shares = new Map()));
    return shares;
  }
}
