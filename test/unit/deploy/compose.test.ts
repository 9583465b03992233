import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { root } from '../../../scripts/build.ts'

const file = join(root, 'docker-compose.yaml')
// Version 2 is a plugin of docker, version 1 a program of its own.
const versions = [['docker', 'compose'], ['docker-compose']].filter((command) => answers(command))

const Service = z.looseObject({
  image: z.string(),
  // Version 2 writes each with an attribute for every field, version 1 as it was.
  networks: z.record(z.string(), z.unknown()).or(z.array(z.string())).optional(),
  ports: z.array(z.string().or(z.object({ host_ip: z.string() }))).default([]),
  volumes: z.array(z.string().or(z.looseObject({ target: z.string(), read_only: z.boolean().optional() }))).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
})
const Composed = z.looseObject({
  services: z.record(z.string(), Service),
  networks: z.record(
    z.string(),
    z.looseObject({ internal: z.boolean().optional(), driver_opts: z.record(z.string(), z.string()).optional() }),
  ),
})

describe.skipIf(versions.length === 0)('docker-compose.yaml', () => {
  it.each(versions.map((command) => [command.join(' '), command]))('with all profiles, to %s', (_, command) => {
    const { services, networks } = composed(command)
    expect(Object.keys(services).sort()).toEqual([
      ...['chaos', 'cloudcore', 'devices', 'edge', 'gate', 'k3s', 'k3s-rights'],
      ...['mosquitto', 'mosquitto-files', 'mosquitto-gate'],
    ])
    const on = (network: string) =>
      Object.entries(services).flatMap(([name, service]) => (networksOf(service).includes(network) ? [name] : []))
    // Edge nodes meet nothing but the gates.
    expect(on('edge').sort()).toEqual(['edge', 'gate', 'mosquitto-gate'])
    expect(networksOf(services.edge)).toEqual(['edge'])
    expect(networks.edge).toMatchObject({
      ...{ internal: true, driver_opts: { 'com.docker.network.bridge.inhibit_ipv4': 'true' } },
    })
    const loose = Object.entries(services).filter(
      ([, { read_only, cap_drop }]) => !read_only || cap_drop?.[0] !== 'ALL',
    )
    // The image of others, which asks for what it asks for.
    expect(loose.map(([name]) => name)).toEqual(['k3s'])
    expect(services.k3s).toMatchObject({ image: 'other/k3s:1' })
    for (const { ports } of Object.values(services)) for (const port of ports) expect(hostOf(port)).toBe('127.0.0.1')
    // Everybody hears of the profiles whom they concern.
    const told = Object.entries(services).filter(
      ([, { environment }]) => environment.FLEET_PROFILES === 'chaos,mosquitto,k3s',
    )
    expect(told.map(([name]) => name).sort()).toEqual(['cloudcore', 'devices', 'k3s-rights', 'mosquitto-files'])
  })
})

function composed([program = '', ...args]: string[]): z.infer<typeof Composed> {
  const env = { ...process.env, COMPOSE_PROFILES: 'chaos,mosquitto,k3s', KEDGE_K3S_IMAGE: 'other/k3s:1' }
  return Composed.parse(parse(execFileSync(program, [...args, '-f', file, 'config'], { env, encoding: 'utf8' })))
}

function networksOf(service: z.infer<typeof Service> | undefined): string[] {
  const { networks = [] } = service ?? {}
  return Array.isArray(networks) ? networks : Object.keys(networks)
}

function hostOf(port: string | { host_ip: string }): string | undefined {
  return typeof port === 'string' ? port.split(':')[0] : port.host_ip
}

function answers([program = '', ...args]: string[]): boolean {
  try {
    execFileSync(program, [...args, 'version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
