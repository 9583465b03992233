import { check, lookAll, ok, warn } from '@kedge/shared/doctor/check'
import { doctorLine } from '@kedge/shared/doctor/doctor-line'
import { envIn } from '@kedge/shared/doctor/given-settings'
import { told } from '@kedge/shared/doctor/words'
import { expect, test } from 'vitest'

const patient = { program: 'edgecore', version: '1.2.3', at: '2026-11-22T22:00:00Z' }

test('a check that throws, now or later, or is too slow, is a finding and stops no other', async () => {
  const aborted: boolean[] = []
  const findings = await lookAll([
    check({ name: 'good', read: () => 1, judge: (one) => [ok(`${one}`), warn('two', 'mend it')] }),
    check({
      name: 'throws',
      read: () => {
        throw new Error('no such file')
      },
      judge: () => ok('never'),
    }),
    check({ name: 'judges badly', read: async () => 1, judge: () => JSON.parse('{') }),
    check({
      name: 'slow',
      read: (signal) => new Promise<number>(() => signal.addEventListener('abort', () => aborted.push(true))),
      judge: () => ok('never'),
      limit: 20,
    }),
  ])
  expect(findings.map(({ check, standing }) => `${check} ${standing}`)).toEqual([
    ...['good ok', 'good warn', 'throws skip', 'judges badly skip', 'slow warn'],
  ])
  expect(findings[2]?.found).toContain('no such file')
  expect(aborted).toEqual([true])
})

test('what is told: a table for people, JSON for programs, and an exit code', () => {
  const good = { check: 'disk', standing: 'ok', found: 'much room' } as const
  const bad = { check: 'link', standing: 'fail', found: 'nobody\nthere', todo: 'start cloudcore' } as const
  expect(told([good], patient, 'table')).toEqual({ out: 'ok     disk   much room\nall is well\n', code: 0 })
  expect(told([{ ...good, standing: 'warn' }], patient, 'table').code).toBe(0)
  expect(told([good, bad], patient, 'table')).toEqual({
    out: 'ok     disk   much room\nFAIL   link   nobody there\n              → start cloudcore\n1 to mend\n',
    code: 1,
  })
  expect(JSON.parse(told([good, bad], patient, 'json').out)).toEqual({ ...patient, ok: false, findings: [good, bad] })
})

test('the flags of the command, and those of the program', () => {
  expect(doctorLine(['-o', 'json', '--data', '/x', '--mqtt-port=1'])).toEqual({
    ...{ output: 'json', help: false },
    rest: ['--data', '/x', '--mqtt-port=1'],
  })
  expect(doctorLine(['--output=table', '-h'])).toMatchObject({ output: 'table', help: true })
  expect(() => doctorLine(['-o', 'xml'])).toThrow('--output: found "xml"; give table or json')
})

test('the variables of a unit', () => {
  const text = '# KEDGE_DATA=/no\nKEDGE_DATA=/srv/kedge\n KEDGE_DRIVER="a=b"\n\nnonsense\n'
  expect(envIn(text)).toEqual({ KEDGE_DATA: '/srv/kedge', KEDGE_DRIVER: 'a=b' })
})
