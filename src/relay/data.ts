/** The data connection of LTTng's relay protocol: a header, then a packet's bytes; nothing is answered. */

export const DATA_HEADER_BYTES = 32;

export interface DataHeader {
  readonly stream: bigint;
  readonly sequence: bigint;
  /** Bytes that follow. */
  readonly dataBytes: number;
  /** Zero bytes that belong to the packet but are not sent. */
  readonly paddingBytes: number;
}

export function readDataHeader(bytes: Uint8Array): DataHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    stream: view.getBigUint64(8),
    sequence: view.getBigUint64(16),
    dataBytes: view.getUint32(24),
    paddingBytes: view.getUint32(28),
  };
}
