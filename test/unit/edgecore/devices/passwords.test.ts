import { parsePasswords, verify } from '@kedge/edgecore/devices/passwords'
import { expect, test } from 'vitest'

// Written by mosquitto_passwd 2.0.11.
const file = `# users
alice:$7$101$XLDfoAJWsyKNuDui$zuHT9+WIGo7bToTUkknGq5GR/K+JdwznrqvX0hC05MXWV0HppLsikLaJXFBIXg7P7npequcIL1NU49nUh6q4XA==
`

test("a password file of mosquitto's is read, and only the right password is right", async () => {
  const parsed = parsePasswords(file)
  if (!parsed.ok) throw new Error(parsed.fault)
  const says = (user: string, password: string) => verify(parsed.passwords, user, Buffer.from(password))
  expect(await says('alice', 'secret')).toBe(true)
  expect(await says('alice', 'Secret')).toBe(false)
  expect(await says('alice', '')).toBe(false)
  expect(await says('bob', 'secret')).toBe(false)
})

test.each([
  ['alice:secret', 'line 1: not as mosquitto_passwd writes it'],
  [`${file}bob:$6$VC9l5tPg/kjlcajK$7YcuoewqdxmiMUbDQwZPc7qOl6CNWTyJIK0ivOyPTYnBXyg==`, 'line 3'],
  ['alice', 'line 1'],
  ['# none\n', 'names no user'],
])('a file that cannot be used is refused with the line, never with what stands in it', (text, fault) => {
  const parsed = parsePasswords(text)
  expect(parsed).toEqual({ ok: false, fault: expect.stringContaining(fault) })
  expect(JSON.stringify(parsed)).not.toContain('secret')
})
