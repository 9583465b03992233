import { join } from 'node:path'

/** Where commands on the node reach the edgecore that runs with a data folder. */
export function controlPath(data: string): string {
  return join(data, 'edgecore.sock')
}
