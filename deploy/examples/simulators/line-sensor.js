// Plays the sensor of ../devices/line-sensor.yaml, which speaks lines over TCP: node line-sensor.js PORT
import { createServer } from 'node:net'

createServer((socket) => {
  const timer = setInterval(() => socket.write('temperature 21.5\n'), 200)
  // It does what it is told, and says so.
  socket.on('data', (line) => socket.write(line))
  socket.on('error', () => {})
  socket.on('close', () => clearInterval(timer))
}).listen(Number(process.argv[2] ?? 7000), '127.0.0.1')
