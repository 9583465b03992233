// Plays the thermostat of ../devices/http-sensor.yaml: node http-thermostat.js PORT
import { createServer } from 'node:http'

let target = 20

createServer(async (request, response) => {
  if (request.method === 'PUT') {
    let body = ''
    for await (const chunk of request) body += chunk
    target = JSON.parse(body).target
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ sensors: [{ tenths: 194 }], target, window: 'closed' }))
}).listen(Number(process.argv[2] ?? 8081), '127.0.0.1')
