/**
 * Sections of the report as analyses: an attaching function pushes into hooks of its own, which the run fills for
 * each slice.
 */

import { createHooks, type Hooks } from "../kernel/hooks.js";
import type { KernelModel, ModelOptions } from "../kernel/model.js";
import { type Analysis, type CommonOptions, defineAnalysis, type Listeners } from "./analysis.js";
import type { Range } from "./common.js";

class SectionRange implements Range {
  /** Settled when the slice ends. */
  endNs = Number.NaN;
  constructor(
    readonly beginNs: number,
    readonly lastNs: number,
  ) {}
}

interface Accumulator<R> {
  readonly hooks: Hooks;
  readonly range: SectionRange;
  readonly result: () => R;
}

export interface SectionOptions extends CommonOptions {
  /** The slice does not end after this, `ns`. */
  readonly lastNs?: number;
}

export type Attach<R> = (model: KernelModel, range: Range) => () => R;

/** An analysis of the hooks named, made by `attach`. It has no tables: the report shows it. */
export function section<R>(
  name: string,
  needs: ModelOptions,
  hooks: readonly (keyof Hooks)[],
  attach: Attach<R>,
): Analysis<Accumulator<R>, R, SectionOptions> {
  const listen: Record<string, (accumulator: Accumulator<R>, ...args: unknown[]) => void> = {};
  for (const hook of hooks) {
    listen[hook] = ({ hooks: own }, a, b, c, d, e, f) => {
      const listeners = own[hook] as ((...args: unknown[]) => void)[];
      for (let i = 0; i < listeners.length; i++) listeners[i]!(a, b, c, d, e, f);
    };
  }
  return defineAnalysis({
    name,
    title: name,
    description: "",
    tags: [],
    tableClasses: {},
    defaults: { limit: Number.POSITIVE_INFINITY } as SectionOptions,
    needs: () => needs,
    missing: () => [],
    open: ({ model, beginNs, options }) => {
      const own = createHooks();
      const range = new SectionRange(beginNs, options.lastNs ?? Number.POSITIVE_INFINITY);
      return { hooks: own, range, result: attach({ ...model, on: own }, range) };
    },
    listen: listen as Listeners<Accumulator<R>>,
    close: ({ range, result }, endNs) => {
      range.endNs = endNs;
      return result();
    },
    tables: () => [],
  });
}
