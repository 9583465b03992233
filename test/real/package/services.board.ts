import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '@kedge/shared/objects'
import { beforeAll, beforeEach, expect, inject, onTestFailed, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { root, version } from '../../../scripts/build.ts'
import { Api, conditionOf, statusTwins } from '../../support/api.ts'
import { eventually } from '../../support/eventually.ts'
import { portsInARow } from '../../support/ports-in-a-row.ts'
import { DebianMachine } from '../../support/shipping/debian-machine.ts'
import { run } from '../../support/shipping/run.ts'
import { whenFileIsOver } from '../../support/shipping/when-over.ts'
import { tempDir } from '../../support/temp-dir.ts'

// The units as they are shipped, started by systemd: cloudcore, and beside it edgecore as on a board without pods. Each
// test goes on where the one before has ended.
let machine: DebianMachine
let api: Api
let failed = false

const dropIns = '/etc/systemd/system/edgecore.service.d'
const patience = { within: 300_000, every: 200 }
const whenOver = whenFileIsOver()

beforeAll(async () => {
  machine = await DebianMachine.boot(tempDir(whenOver))
  whenOver(() => machine.stop())
  await run('tar', ['-xzf', inject('archive'), '-C', join(machine.root, 'root')])
  await machine.run(`/root/kedge-${version()}/setup.sh install`)
  const port = await portsInARow(2)
  await settings('cloudcore', 'KEDGE_STANDALONE=true', `KEDGE_API_PORT=${port}`, `KEDGE_LINK_PORT=${port + 1}`)
  await settings('edgecore', 'KEDGE_MQTT_PORT=0')
})

beforeEach(({ skip }) => {
  if (failed) skip()
  onTestFailed(async () => {
    failed = true
    process.stderr.write(await machine.run('journalctl -u edgecore -u cloudcore -n 60 --no-pager').catch(() => ''))
  })
})

/** The machine has the network of this one: its programs take ports that nobody else has. */
async function settings(service: string, ...lines: string[]): Promise<void> {
  const all = [...lines, 'KEDGE_METRICS_ADDRESS=off'].map((line) => `'${line}'`).join(' ')
  await machine.run(`mkdir -p /etc/kedge && printf '%s\\n' ${all} > /etc/kedge/${service}.env`)
}

/** What the kernel says of the main process of a service. */
async function confinement(service: string): Promise<Record<string, string>> {
  const status = await machine.run(`cat /proc/$(systemctl show -P MainPID ${service})/status`)
  return Object.fromEntries(status.split('\n').map((line) => line.split(/:\s+/).map((word) => word.trim())))
}

const withoutRights = { CapEff: '0000000000000000', CapBnd: '0000000000000000', NoNewPrivs: '1', Seccomp: '2' }

/** The command that joins a board here. */
async function joining(): Promise<string> {
  const kubeconfig = '/var/lib/kedge/cloudcore/kubeconfig'
  return eventually(() => machine.run(`cloudcore token create --node board --kubeconfig ${kubeconfig}`), patience)
}

const isReady = () =>
  eventually(async () => {
    const node = await api.find('nodes/board')
    return (
      conditionOf(node ?? {}, 'Ready')?.status === 'True' && conditionOf(node ?? {}, 'Connected')?.status !== 'False'
    )
  }, patience)

/** The virtual thermostat, which needs no hardware, on this node. */
function thermostat(): KubeObject[] {
  const text = readFileSync(join(root, 'deploy/examples/thermostat.yaml'), 'utf8').replace('edge-1', 'board')
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject)
}

const reads = (value: string) =>
  eventually(async () => statusTwins(await api.get('devices/default/thermostat')).target?.reported === value, patience)

test('cloudcore runs as a user without rights, and keeps its state', async () => {
  await machine.run('systemctl enable --now cloudcore')
  expect(await confinement('cloudcore')).toMatchObject(withoutRights)
  expect((await confinement('cloudcore')).Uid).not.toMatch(/^0\b/)
  const first = await joining()
  await machine.run('systemctl restart cloudcore')
  api = new Api(join(machine.root, 'var/lib/private/kedge/cloudcore/kubeconfig'))
  whenOver(() => api.close())
  // The authority that vouches for the link is the same: so is what a token says of it.
  expect(
    (await joining())
      .replace(/.*--token/, '')
      .split('.')
      .at(-1),
  ).toBe(first.split('.').at(-1))
})

test('edgecore beside it runs devices with a user of its own, on a machine that it cannot change', async () => {
  await machine.run(`mkdir ${dropIns} && cp /usr/lib/kedge/current/systemd/devices-only.conf ${dropIns}`)
  await machine.run('systemctl daemon-reload')
  await machine.run(await joining())
  await machine.run('systemctl enable --now edgecore')
  await isReady()
  expect(await confinement('edgecore')).toMatchObject(withoutRights)
  expect((await confinement('edgecore')).Uid).not.toMatch(/^0\b/)
  await api.create(...thermostat())
  await reads('21')
})

test('what root does to its folder meanwhile does not shut it out', async () => {
  expect(await machine.run('edgecore get devices')).toContain('thermostat')
  await machine.run('systemctl stop edgecore')
  await machine.run(`${await joining()} --force`)
  await machine.run('systemctl start edgecore')
  await isReady()
  await api.desire('devices/default/thermostat', { target: '19' })
  await reads('19')
})

test('it keeps its state when the board is to run pods after all, and cloudcore keeps its own', async () => {
  await machine.run(`rm -r ${dropIns} && systemctl daemon-reload`)
  await machine.run('echo KEDGE_RUNTIME=simulated >> /etc/kedge/edgecore.env')
  await machine.run('systemctl restart edgecore')
  expect((await confinement('edgecore')).Uid).toMatch(/^0\b/)
  await api.desire('devices/default/thermostat', { target: '18' })
  await reads('18')
  await machine.run('systemctl restart cloudcore')
  await api.desire('devices/default/thermostat', { target: '17' })
  await reads('17')
  expect(await machine.run('systemctl show -P NRestarts edgecore cloudcore')).toBe('0\n\n0')
})
