/** All analyses, and the commands by which users know them. */

import type { AnyAnalysis } from "./analysis.js";
import { cputop } from "./cputop.js";
import { futex } from "./futex.js";
import { io } from "./io.js";
import { irq } from "./irq.js";
import { memtop } from "./memtop.js";
import { periods } from "./periods.js";
import { sched } from "./sched.js";
import { syscallstats } from "./syscallstats.js";

export const ANALYSES: readonly AnyAnalysis[] = [
  cputop,
  memtop,
  io,
  irq,
  sched,
  syscallstats,
  futex,
  periods,
];

/** A command: an analysis with some of its sections asked for. Further sections may be added to any of a family. */
export interface AnalysisCommand {
  readonly name: string;
  readonly analysis: AnyAnalysis;
  readonly preset: object;
  readonly summary: string;
}

export const ANALYSIS_COMMANDS: readonly AnalysisCommand[] = [
  { name: "cputop", analysis: cputop, preset: {}, summary: "who used the CPUs" },
  { name: "memtop", analysis: memtop, preset: {}, summary: "who took and gave back memory pages" },
  {
    name: "iousagetop",
    analysis: io,
    preset: { usage: true },
    summary: "bytes by process, file, disk, interface",
  },
  {
    name: "iolatencytop",
    analysis: io,
    preset: { top: true },
    summary: "slowest opens, reads, writes, syncs",
  },
  {
    name: "iolatencystats",
    analysis: io,
    preset: { stats: true },
    summary: "latencies of I/O calls and disks",
  },
  { name: "iolatencyfreq", analysis: io, preset: { freq: true }, summary: "distribution of these latencies" },
  { name: "iolog", analysis: io, preset: { log: true }, summary: "every I/O call" },
  {
    name: "irqstats",
    analysis: irq,
    preset: { stats: true },
    summary: "interrupt handlers: how many, how long",
  },
  { name: "irqfreq", analysis: irq, preset: { freq: true }, summary: "distribution of their durations" },
  { name: "irqlog", analysis: irq, preset: { log: true }, summary: "every interrupt" },
  {
    name: "schedtop",
    analysis: sched,
    preset: { top: true },
    summary: "longest waits from wake-up to running",
  },
  {
    name: "schedstats",
    analysis: sched,
    preset: { stats: true },
    summary: "these waits by thread or priority",
  },
  { name: "schedfreq", analysis: sched, preset: { freq: true }, summary: "distribution of these waits" },
  { name: "schedlog", analysis: sched, preset: { log: true }, summary: "every wake-up" },
  { name: "syscallstats", analysis: syscallstats, preset: {}, summary: "system calls by thread and name" },
  {
    name: "periodtop",
    analysis: periods,
    preset: { top: true },
    summary: "longest instances of your periods",
  },
  { name: "periodlog", analysis: periods, preset: { log: true }, summary: "every instance of your periods" },
  {
    name: "periodstats",
    analysis: periods,
    preset: { stats: true },
    summary: "your periods: how many, how long, their share of their parents",
  },
  {
    name: "periodfreq",
    analysis: periods,
    preset: { freq: true },
    summary: "distribution of their durations",
  },
  { name: "futextop", analysis: futex, preset: {}, summary: "who waited for whom on futexes (locks)" },
];

/** What `periscope all` computes. */
export const ALL_PRESETS: readonly { readonly analysis: AnyAnalysis; readonly preset: object }[] = [
  { analysis: cputop, preset: {} },
  { analysis: memtop, preset: {} },
  { analysis: io, preset: { usage: true, stats: true, top: true } },
  { analysis: irq, preset: { stats: true } },
  { analysis: sched, preset: { stats: true, top: true, total: true, perTid: true, perPrio: true } },
  { analysis: syscallstats, preset: {} },
  { analysis: futex, preset: {} },
];
