/** Entry of the threads that read an experiment's traces again. */
import { workerData } from "node:worker_threads";
import { BACKGROUND, prioritize } from "../base/priority.js";
import { ReadingService, type ReadingTask } from "./reading-service.js";
import { answerCalls, onceMade } from "./remote.js";

const task = workerData as ReadingTask;
if (task.background === true) prioritize(BACKGROUND);
answerCalls(onceMade(() => new ReadingService(task)));
