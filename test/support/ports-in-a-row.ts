import { createServer, type Server } from 'node:net'

/**
 * The first of `count` neighbouring ports that are free now, for programs that cannot be told to listen on port 0 and
 * say which it became. They lie below those that the system gives to connections and to listeners on 0: such a program
 * starts later, and until then many connections come and go.
 */
export async function portsInARow(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const servers: Server[] = []
    try {
      const first = await listen(20_000 + Math.floor(Math.random() * 12_000), servers)
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
