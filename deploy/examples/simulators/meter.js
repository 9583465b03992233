// Plays the energy meter of ../devices/modbus-meter.yaml over Modbus TCP: node meter.js PORT
import modbus from 'modbus-serial'

// 230.1 V, 500 W as a float in swapped registers, 100,000 Wh.
const input = [2301, 0x0000, 0x43fa, 0x0001, 0x86a0]
const holding = new Map()
const coils = new Map()

const registers = {
  getInputRegister: (address) => input[address] ?? 0,
  getHoldingRegister: (address) => holding.get(address) ?? 0,
  getCoil: (address) => coils.get(address) ?? false,
  setRegister: (address, value) => void holding.set(address, value),
  setCoil: (address, value) => void coils.set(address, value),
}

new modbus.ServerTCP(registers, { host: '127.0.0.1', port: process.argv[2] ?? '5020', unitID: 1 })
