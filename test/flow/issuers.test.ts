import { openKube } from '@kedge/cloudcore/kube/client'
import { leafOf } from '@kedge/edgecore/identity/identity'
import { findIdentity } from '@kedge/edgecore/identity/keep'
import { must } from '@kedge/shared/must'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { certManagerDialect } from '../contract/issuer/dialects.ts'
import { defineRequests } from '../contract/issuer/rigs.ts'
import { Signer } from '../contract/issuer/signer.ts'
import { eventually } from '../support/eventually.ts'
import { Board, JoinableCloud } from '../support/joined.ts'
import { TurnedClock } from '../support/turned-clock.ts'

const day = 24 * 3600 * 1000
const issuerRef = { name: 'edge', kind: 'Issuer', group: 'cert-manager.io' }
const clock = new TurnedClock()
let cloud: JoinableCloud
let signer: Signer

beforeAll(async () => {
  cloud = await JoinableCloud.start(clock, afterAll, { issuer: { is: 'cert-manager', ...issuerRef } })
  const kube = openKube({ kubeconfig: cloud.kubeconfig })
  // As when cert-manager is installed after cloudcore.
  await defineRequests(kube)
  signer = await Signer.start(kube, certManagerDialect(issuerRef))
  afterAll(async () => {
    await signer.stop()
    kube.close()
  })
})

const identityOf = (board: Board) => must(findIdentity(board.data).identity, 'identity')

test('a board joins and renews by certificates of cert-manager', async () => {
  const board = new Board('edge-1', clock)
  await board.join(await cloud.token())
  await board.start(cloud.port)
  await eventually(() => board.inSync)
  const before = identityOf(board)
  expect(before.roots).toContain(signer.root)
  expect(signer.of('edge-1')).toHaveLength(1)

  clock.turn(65 * day)
  await eventually(() => identityOf(board).generation === 2)
  expect(leafOf(identityOf(board).chain).serial).not.toBe(leafOf(before.chain).serial)
  await board.stop()
  await cloud.stop()
  await cloud.start()
  await board.start(cloud.port)
  await eventually(() => board.inSync)
})

test('a board is told why its issuer refuses it, and joins once that is mended', async () => {
  signer.moods.set('edge-2', 'adds a name')
  const board = new Board('edge-2', clock)
  const args = await cloud.token()
  await expect(board.join(args, 5000)).rejects.toThrow(/alternative names, which nobody asked for/)
  signer.moods.set('edge-2', 'signs')
  expect(await board.join(args)).toContain('edge-2')
})
