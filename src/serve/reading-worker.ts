/** Entry of the threads that read an experiment's traces again. */
import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import { basename } from "node:path";
import { workerData } from "node:worker_threads";
import { ReadingService, type ReadingTask } from "./reading-service.js";
import { answerCalls, onceMade } from "./remote.js";

const BACKGROUND_NICENESS = 10;

const task = workerData as ReadingTask;
if (task.background === true) {
  try {
    // Linux has a priority for each thread; Node tells no thread's number, /proc does.
    setPriority(Number(basename(readlinkSync("/proc/thread-self"))), BACKGROUND_NICENESS);
  } catch {
    // Then it runs as all others do.
  }
}
answerCalls(onceMade(() => new ReadingService(task)));
