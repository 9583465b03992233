import { createServer, type Server } from 'node:net'

/**
 * The first of `count` neighbouring ports that are free now, for programs that cannot be told to listen on port 0 and
 * say which it became. Another process may take one meanwhile: everything else listens on 0.
 */
export async function portsInARow(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const servers: Server[] = []
    try {
      const first = await listen(0, servers)
      for (let next = 1; next < count; next++) await listen(first + next, servers)
      return first
    } catch {
      // One of the neighbours is taken: try elsewhere.
    } finally {
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    }
  }
  throw new Error(`no ${count} free ports in a row`)
}

function listen(port: number, servers: Server[]): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      servers.push(server)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}
