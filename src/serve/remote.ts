/**
 * Objects that live in threads of their own: their methods are called by message and answer with promises. Errors that
 * are for people keep their kind; all else is a fault of ours and is told as such.
 */
import { type MessagePort, parentPort, Worker } from "node:worker_threads";
import { PeriscopeError, UsageError } from "../base/errors.js";

// biome-ignore lint/suspicious/noExplicitAny: the methods of any service.
type Methods = Record<string, (...args: any[]) => unknown>;

/** The methods of a service, as its callers see them. */
export type Remote<T> = {
  readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? K : never]: T[K] extends (
    ...args: infer A
  ) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly kind: "wrong" | "failed" | "fault"; readonly message: string };
}

/** In the thread: answers calls with the methods of `service`. */
export function answerCalls(service: object, port: MessagePort = parentPort!): void {
  port.on("message", async ({ id, method, args }: Call) => {
    try {
      const value = await (service as Methods)[method]!(...args);
      const transfer =
        value instanceof Uint8Array && value.byteOffset === 0 ? [value.buffer as ArrayBuffer] : [];
      port.postMessage({ id, value } satisfies Answer, transfer);
    } catch (error) {
      const kind =
        error instanceof UsageError ? "wrong" : error instanceof PeriscopeError ? "failed" : "fault";
      const message = kind === "fault" ? ((error as Error).stack ?? String(error)) : (error as Error).message;
      port.postMessage({ id, error: { kind, message } } satisfies Answer);
    }
  });
}

/** A service whose constructor may throw: then every call does. */
export function onceMade<T extends object>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    return new Proxy({} as T, {
      get: () => () => {
        throw error;
      },
    });
  }
}

/** What lives short in these threads is little: Node's own 48 MB for it would only fill. */
const YOUNG_MB = 6;

/** A thread that runs a service, and the service as it is seen from here. */
export class ServiceThread<T extends object> {
  readonly service: Remote<T>;
  readonly #worker: Worker;
  readonly #open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #next = 1;
  #failure: Error | undefined;

  constructor(entry: URL, workerData: unknown) {
    this.#worker = new Worker(entry, {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    this.#worker.unref();
    this.#worker.on("message", ({ id, value, error }: Answer) => {
      const call = this.#open.get(id);
      this.#open.delete(id);
      if (error === undefined) call?.resolve(value);
      else if (error.kind === "wrong") call?.reject(new UsageError(error.message));
      else if (error.kind === "failed") call?.reject(new PeriscopeError(error.message));
      else call?.reject(new Error(error.message));
    });
    const fail = (error: Error): void => {
      this.#failure = error;
      for (const { reject } of this.#open.values()) reject(error);
      this.#open.clear();
    };
    this.#worker.on("error", fail);
    this.#worker.on("exit", () => fail(new PeriscopeError("the experiment was closed")));
    this.service = new Proxy({} as Remote<T>, {
      get: (_target, method: string) =>
        // A promise may resolve to a service: it is no promise itself.
        method === "then" ? undefined : (...args: unknown[]) => this.#call(method, args),
    });
  }

  #call(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      this.#open.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args } satisfies Call);
    });
  }

  close(): void {
    void this.#worker.terminate();
  }
}
