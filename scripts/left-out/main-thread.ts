/** Takes the place of node:worker_threads for pino, which asks nothing else of it. */
export const isMainThread = true
