import { type Room, Thermostat, warm } from '@kedge/edgecore/devices/drivers/thermostat'
import { expect, test } from 'vitest'

const config = Thermostat.parse({ device: 'thermostat' })

function run(room: Room, target: string | undefined, seconds: number): Room[] {
  const rooms = [room]
  for (let i = 0; i < seconds; i++) rooms.push(warm(rooms.at(-1) ?? room, config, { target, step: 1000 }))
  return rooms
}

test('warms up to the target and then stays about it', () => {
  const rooms = run({ temperature: 18, heating: false }, '21', 600)
  for (const { temperature } of rooms.slice(120)) {
    expect(temperature).toBeGreaterThan(20.4)
    expect(temperature).toBeLessThan(21.6)
  }
  const states = new Set(rooms.slice(120).map(({ heating }) => heating))
  expect(states).toEqual(new Set([true, false]))
})

test('cools down to the room without a target, heater off', () => {
  const last = run({ temperature: 25, heating: true }, undefined, 600).at(-1)
  expect(last?.temperature).toBeCloseTo(18, 1)
  expect(last?.heating).toBe(false)
})

test('does not switch within the hysteresis', () => {
  expect(warm({ temperature: 21.1, heating: true }, config, { target: '21', step: 0 }).heating).toBe(true)
  expect(warm({ temperature: 20.9, heating: false }, config, { target: '21', step: 0 }).heating).toBe(false)
})
