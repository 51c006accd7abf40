/**
 * What is known of every packet of one data stream before its event records are read.
 *
 * A column per property (there may be a million packets). Moments are clock cycles since the stream's
 * origin; NaN where the packet does not say.
 */
export class PacketIndex {
  count = 0;
  #size = 16;
  /** Index into the stream's files. */
  file = new Int32Array(this.#size);
  /** Bytes from the start of the file. */
  offset = new Float64Array(this.#size);
  /** Bytes, header and padding included. */
  totalBytes = new Float64Array(this.#size);
  /** Bits, header included, padding not. */
  contentBits = new Float64Array(this.#size);
  begin = new Float64Array(this.#size);
  end = new Float64Array(this.#size);
  /** `packet_seq_num`. */
  sequence = new Float64Array(this.#size);
  /** `events_discarded`: the tracer's running count. */
  discarded = new Float64Array(this.#size);

  add(
    file: number,
    offset: number,
    totalBytes: number,
    contentBits: number,
    begin: number,
    end: number,
    sequence: number,
    discarded: number,
  ): void {
    if (this.count === this.#size) this.#grow();
    const i = this.count++;
    this.file[i] = file;
    this.offset[i] = offset;
    this.totalBytes[i] = totalBytes;
    this.contentBits[i] = contentBits;
    this.begin[i] = begin;
    this.end[i] = end;
    this.sequence[i] = sequence;
    this.discarded[i] = discarded;
  }

  #columns(): (Int32Array | Float64Array)[] {
    return [
      this.file,
      this.offset,
      this.totalBytes,
      this.contentBits,
      this.begin,
      this.end,
      this.sequence,
      this.discarded,
    ];
  }

  #assign(columns: (Int32Array | Float64Array)[]): void {
    this.file = columns[0] as Int32Array<ArrayBuffer>;
    const rest = columns.slice(1) as Float64Array<ArrayBuffer>[];
    this.offset = rest[0]!;
    this.totalBytes = rest[1]!;
    this.contentBits = rest[2]!;
    this.begin = rest[3]!;
    this.end = rest[4]!;
    this.sequence = rest[5]!;
    this.discarded = rest[6]!;
  }

  #grow(): void {
    this.#size *= 2;
    this.#assign(
      this.#columns().map((column) => {
        const grown =
          column instanceof Int32Array ? new Int32Array(this.#size) : new Float64Array(this.#size);
        grown.set(column);
        return grown;
      }),
    );
  }

  /**
   * Puts packets in order of their begin (files of a rotated stream come in any order; equal or unknown
   * begins keep the order of files and offsets) and drops packets that are the same packet in two files.
   * Returns the number dropped.
   */
  sortAndDeduplicate(): number {
    const { begin, end, sequence, discarded, contentBits, totalBytes, file } = this;
    const order = Array.from({ length: this.count }, (_, i) => i);
    let sorted = true;
    for (let i = 1; i < this.count; i++) if (begin[i]! < begin[i - 1]!) sorted = false;
    if (!sorted) order.sort((a, b) => begin[a]! - begin[b]! || a - b);
    const same = (a: number, b: number) =>
      file[a] !== file[b] &&
      begin[a] === begin[b] &&
      Object.is(end[a], end[b]) &&
      contentBits[a] === contentBits[b] &&
      totalBytes[a] === totalBytes[b] &&
      Object.is(sequence[a], sequence[b]) &&
      Object.is(discarded[a], discarded[b]);
    const severalFiles = file.subarray(0, this.count).some((index) => index !== file[0]);
    const kept = order.filter((packet, i) => {
      if (!severalFiles) return true;
      // Equal begins are adjacent; several files may repeat several packets of one begin.
      for (let k = i - 1; k >= 0 && begin[order[k]!] === begin[packet]; k--)
        if (same(order[k]!, packet)) return false;
      return true;
    });
    const dropped = this.count - kept.length;
    if (!sorted || dropped > 0) {
      this.#assign(
        this.#columns().map((column) => {
          const next =
            column instanceof Int32Array ? new Int32Array(this.#size) : new Float64Array(this.#size);
          kept.forEach((packet, i) => {
            next[i] = column[packet]!;
          });
          return next;
        }),
      );
      this.count = kept.length;
    }
    return dropped;
  }
}
