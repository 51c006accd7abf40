/** Entry of the threads that read an experiment's traces again. */
import { workerData } from "node:worker_threads";
import { ReadingService, type ReadingTask } from "./reading-service.js";
import { answerCalls, onceMade } from "./remote.js";

answerCalls(onceMade(() => new ReadingService(workerData as ReadingTask)));
