// Whether the program beside it answers: HEALTHCHECK of the images. Its address is that of --metrics-address, as the
// variable says or else the first argument.
import { get } from 'node:http'

const address = process.env.KEDGE_METRICS_ADDRESS || process.argv[2] || ''
const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? []

if (port === undefined) end(1, `no health without metrics: KEDGE_METRICS_ADDRESS is "${address}", give HOST:PORT`)
else {
  const reached = host === '0.0.0.0' || host === '[::]' || host === '' ? '127.0.0.1' : host.replace(/^\[|\]$/g, '')
  get({ host: reached, port, path: '/healthz', timeout: 4000 }, (response) => {
    response.resume()
    end(response.statusCode === 200 ? 0 : 1, `/healthz: ${response.statusCode}`)
  })
    .on('timeout', () => end(1, `${reached}:${port} does not answer`))
    .on('error', (error) => end(1, error.message))
}

function end(code, text) {
  process.stdout.write(`${text}\n`)
  process.exitCode = code
  if (code !== 0) setImmediate(() => process.exit())
}
