/** What came from a relay since the last time: from the side that talks to it to the side that reads event records. */

export interface LiveStream {
  /** Made here; never used again. */
  readonly id: number;
  /** Number of its trace. */
  readonly trace: number;
  readonly isMetadata: boolean;
  readonly channel: string;
}

export interface LiveUpdate {
  readonly streams: LiveStream[];
  readonly metadata: { readonly trace: number; readonly bytes: Uint8Array }[];
  readonly packets: { readonly stream: number; readonly bytes: Uint8Array }[];
  /** By stream: clock value up to which everything has come. */
  readonly known: Map<number, bigint>;
  /** Streams that have no more. */
  readonly closed: number[];
  /** Nothing more will come. */
  ended: boolean;
  /** Why it ended, when it should not have. */
  failure?: string;
}

export function emptyUpdate(): LiveUpdate {
  return { streams: [], metadata: [], packets: [], known: new Map(), closed: [], ended: false };
}
