import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { systemClock } from '@kedge/shared/clock'
import { beforeAll, beforeEach, expect, inject, onTestFailed, test } from 'vitest'
import { root } from '../../../scripts/build.ts'
import { conditionOf } from '../../support/api.ts'
import { eventually } from '../../support/eventually.ts'
import { JoinableCloud } from '../../support/joined.ts'
import { DebianMachine } from '../../support/shipping/debian-machine.ts'
import { run } from '../../support/shipping/run.ts'
import { whenFileIsOver } from '../../support/shipping/when-over.ts'
import { tempDir } from '../../support/temp-dir.ts'

// The archive as it is made, on a Debian with nothing but systemd. One machine for all tests: each goes on where the one
// before has ended.
let machine: DebianMachine
let cloud: JoinableCloud
let untouched: string[]

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const [next, broken] = ['99.0.0', '99.0.1']
const patience = { within: 300_000, every: 200 }

const whenOver = whenFileIsOver()

beforeAll(async () => {
  cloud = await JoinableCloud.start(systemClock, whenOver)
  machine = await DebianMachine.boot(tempDir(whenOver))
  whenOver(() => machine.stop())
  // Newer versions of systemd bring it along.
  await machine.run('mkdir -p /etc/credstore.encrypted')
  untouched = await files()
  await unpack(inject('archive'))
})

let failed = false

beforeEach(({ skip }) => {
  // There is nothing to go on with.
  if (failed) skip()
  onTestFailed(async () => {
    failed = true
    for (const line of cloud.log.slice(-30)) process.stderr.write(`cloudcore ${JSON.stringify(line)}\n`)
    process.stderr.write(await machine.run('journalctl -u edgecore -n 40 --no-pager').catch(() => ''))
  })
})

/** Puts the archive on the machine, and two made of it: a later version, and one that does not start. */
async function unpack(archive: string): Promise<void> {
  const to = join(machine.root, 'root')
  await run('tar', ['-xzf', archive, '-C', to])
  for (const later of [next, broken]) {
    const folder = join(to, `kedge-${later}`)
    await run('cp', ['-a', join(to, `kedge-${version}`), folder])
    writeFileSync(join(folder, 'VERSION'), `${later}\n`)
    sayVersion(join(folder, 'lib'), later)
  }
  const start = "if (process.argv[2] !== '--version') process.exit(1)\nconsole.log('99.0.1')\n"
  writeFileSync(join(to, `kedge-${broken}/lib/edgecore.js`), start)
}

/** What says its version in the bundles of a folder says another. */
function sayVersion(lib: string, later: string): void {
  for (const file of readdirSync(lib, { recursive: true, encoding: 'utf8' })) {
    if (!/\.c?js$/.test(file) || file.startsWith('node_modules')) continue
    const text = readFileSync(join(lib, file), 'utf8')
    const said = text.replaceAll(`version="${version}"`, `version="${later}"`)
    if (said !== text) writeFileSync(join(lib, file), said)
  }
}

/** Every file of the machine but for what systemd itself keeps. */
async function files(): Promise<string[]> {
  const skipped = ['./root/*', './proc/*', './sys/*', './run/*', './tmp/*', './dev/*', './var/log/*', './var/tmp/*']
  const own = [...skipped, './var/lib/systemd/*', './etc/machine-id', './etc/.updated', './var/.updated']
  const out = await run('find', ['.', ...own.flatMap((path) => ['-not', '-path', path]), '-printf', '%p %y\n'], {
    cwd: machine.root,
  })
  return out.trim().split('\n').sort()
}

const setup = (of: string) => machine.run(`/root/kedge-${of}/setup.sh install 2>&1`)

/** The version that the Node says, once it is connected. */
async function nodeVersion(): Promise<string | undefined> {
  const node = await cloud.api.get('nodes/board')
  if (conditionOf(node, 'Ready')?.status !== 'True' || conditionOf(node, 'Connected')?.status === 'False')
    return undefined
  return node.status.nodeInfo.kubeletVersion
}

const runs = (of: string) => eventually(async () => (await nodeVersion())?.endsWith(`-kedge-${of}`), patience)

test('is installed, joined and started by systemd, with a key for its Secrets', async () => {
  expect(await machine.run(`/root/kedge-${next}/bin/edgecore --version`)).toBe(next)
  expect(await setup(version)).toContain(`${version} is installed`)
  expect(await machine.run('edgecore --version; cloudcore --version')).toBe(`${version}\n${version}`)
  await machine.run(
    'mkdir /etc/kedge && printf "KEDGE_RUNTIME=simulated\\nKEDGE_MQTT_PORT=0\\n" > /etc/kedge/edgecore.env',
  )
  await machine.run(
    'head -c 32 /dev/urandom | base64 | systemd-creds encrypt --name=kedge-secrets-key - /etc/credstore.encrypted/kedge-secrets-key',
  )
  const [url, ...flags] = await cloud.token()
  expect(await machine.run(`edgecore join ${url} ${flags.join(' ')} --node-name board`)).toContain(
    'this board is the node board',
  )
  // systemctl start returns once edgecore has said that it is ready.
  await machine.run('systemctl enable --now edgecore')
  await runs(version)
  expect(await machine.run('ls /var/lib/kedge/edgecore')).not.toContain('secrets.key')
  expect(await machine.run('systemctl is-enabled edgecore')).toBe('enabled')
})

test('sees what the machine sees: what it mounts for pods is there for the container engine', async () => {
  const pid = await machine.run('systemctl show -P MainPID edgecore')
  const [own, machines] = (await machine.run(`readlink /proc/${pid}/ns/mnt /proc/1/ns/mnt`)).split('\n')
  expect(own).toBe(machines)
  expect(await machine.run(`grep NoNewPrivs /proc/${pid}/status`)).toMatch(/1$/)
})

test('that hangs is started again by the watchdog', async () => {
  await machine.run('mkdir -p /etc/systemd/system/edgecore.service.d')
  await machine.run('printf "[Service]\\nWatchdogSec=6\\n" > /etc/systemd/system/edgecore.service.d/soon.conf')
  await machine.run('systemctl daemon-reload && systemctl restart edgecore')
  const pid = await machine.run('systemctl show -P MainPID edgecore')
  await machine.run(`kill -STOP ${pid}`)
  await eventually(async () => {
    const now = await machine.run('systemctl show -P MainPID,NRestarts edgecore')
    return !now.split('\n').includes(pid) && (await machine.run('systemctl is-active edgecore || true')) === 'active'
  }, patience)
  await machine.run('rm -r /etc/systemd/system/edgecore.service.d && systemctl daemon-reload')
  await runs(version)
})

test('is upgraded while it runs, and what does not start is undone', async () => {
  await setup(next)
  await runs(next)
  await expect(setup(broken)).rejects.toThrow(`${broken} does not start, ${next} is in force again`)
  await runs(next)
  expect(await machine.run('edgecore --version; systemctl is-enabled edgecore')).toBe(`${next}\nenabled`)
  expect(await machine.run('kedge-setup list')).toBe(`${version} previous\n${next} current`)
})

test('is rolled back', async () => {
  await machine.run('kedge-setup rollback')
  await runs(version)
  expect(await machine.run('kedge-setup list')).toContain(`${version} current`)
})

test('is removed: first the programs, then all, without a trace', async () => {
  await machine.run('kedge-setup remove')
  expect(readdirSync(join(machine.root, 'var/lib/kedge')).map((path) => basename(path))).toEqual(['edgecore'])
  await setup(version)
  await machine.run('systemctl start edgecore')
  await runs(version)
  await machine.run('kedge-setup remove --purge')
  const known = 'systemctl list-unit-files --no-legend "edgecore*" "cloudcore*" || true'
  expect(await machine.run(`${known}; systemctl is-active edgecore || true`)).toBe('inactive')
  expect(await files()).toEqual(untouched)
})
