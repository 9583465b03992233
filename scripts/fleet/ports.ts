import { createServer } from 'node:net'
import { codeOf, UserError } from '@kedge/shared/errors'
import type { Member } from './layout.ts'

/** Throws a UserError that names every port of `members` that another program listens on, and how to choose another. */
export async function checkPorts(members: readonly Member[]): Promise<void> {
  const taken: string[] = []
  for (const { port, what, flag } of members.flatMap(({ ports }) => ports)) {
    if (!(await isFree(port))) taken.push(`port ${port} for ${what} is in use: choose another with ${flag}`)
  }
  if (taken.length > 0) throw new UserError(`${taken.join('\n')}\nfor instance: npm start -- --port-base 2883`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => (codeOf(error) === 'EADDRINUSE' ? resolve(false) : reject(error)))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
