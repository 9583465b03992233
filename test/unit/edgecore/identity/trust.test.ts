import { Trust } from '@kedge/edgecore/identity/trust'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { silentLog } from '@kedge/shared/log'
import { expect, test } from 'vitest'
import { certificatePem, day, holder, makeCertificate, noon } from '../../../support/certificates.ts'
import { extensions, serverAuth } from '../../../support/csr.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { testAuthority } from '../../../support/identities.ts'

const [ca, other] = [testAuthority(), testAuthority('other')]
const usage = [extensions.keyUsage(0x80), extensions.uses(serverAuth), extensions.altName('cloud.example')]
const term = { from: noon - day, to: noon + day }
const server = makeCertificate({ holder: holder('cloudcore'), issuer: ca.holder, ...term, extensions: usage })
const shown = readCertificates(certificatePem(server) + ca.root)

test('roots that would not have let the last connection come about are told from those that would', () => {
  const clock = new HandClock(noon)
  const trust = new Trust({ roots: ca.root, clock, log: silentLog })
  // Without a connection there is nothing to go by.
  expect(trust.wouldVouch(other.root)).toBe(true)
  expect(trust.judge(shown, 'cloud.example', noon - day)).toMatchObject({ ok: true })
  expect(trust.wouldVouch(ca.root + other.root)).toBe(true)
  expect(trust.wouldVouch(other.root)).toBe(false)
  // That its time is over says nothing of who has signed.
  clock.jump(10 * day)
  expect(trust.wouldVouch(ca.root)).toBe(true)
  expect(trust.wouldVouch(other.root)).toBe(false)
  expect(() => trust.wouldVouch('nothing')).toThrow(/no certificates/)
})

test('roots that are taken count from then on', () => {
  const trust = new Trust({ roots: ca.root, clock: new HandClock(noon), log: silentLog })
  trust.take(other.root)
  expect(trust.judge(shown, 'cloud.example', noon - day)).toMatchObject({ ok: false, fault: 'untrusted' })
})
