import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type TarEntry, tar } from './tar.ts'

export interface OciImage {
  /** `kedge.test/busybox:1` */
  name: string
  blobs: Map<string, Buffer>
  manifest: { digest: string; size: number; mediaType: string }
}

export interface ImageOptions {
  /** The whole command line unless a pod says otherwise; unless given, one that waits and ends well when asked to. */
  entrypoint?: readonly string[]
  user?: string
  /** Files beside busybox, by path. */
  files?: Readonly<Record<string, string>>
}

// The first process of a container hears no signal that it has not asked for.
const sleeping = ['/bin/sh', '-c', 'trap "exit 0" TERM; sleep 1000000 & wait']
const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** An image with Debian's static busybox, which it can be called by in `/bin` under many names. */
export function ociImage(name: string, options: ImageOptions = {}): OciImage {
  const { entrypoint = sleeping, user = '', files = {} } = options
  const layer = tar(rootFiles(files))
  const config = json({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Entrypoint: entrypoint, Env: ['PATH=/bin', 'FROM_IMAGE=yes'], ...(user !== '' && { User: user }) },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: described('application/vnd.oci.image.config.v1+json', config),
    layers: [described('application/vnd.oci.image.layer.v1.tar', layer)],
  })
  const blobs = new Map([layer, config, manifest].map((blob) => [digestOf(blob), blob]))
  return { name, blobs, manifest: described(manifestType, manifest) }
}

/** The images as one archive that `ctr images import` takes. */
export function ociArchive(images: readonly OciImage[]): Buffer {
  const manifests = images.map(({ name, manifest }) => ({
    ...manifest,
    annotations: { 'io.containerd.image.name': name },
  }))
  const blobs = new Map(images.flatMap((image) => [...image.blobs]))
  return tar([
    { path: 'oci-layout', data: json({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', data: json({ schemaVersion: 2, manifests }) },
    { path: 'blobs' },
    { path: 'blobs/sha256' },
    ...[...blobs].map(([digest, data]) => ({ path: `blobs/${digest.replace(':', '/')}`, data })),
  ])
}

const applets =
  'sh sleep cat echo true false id env ls nc wget httpd mount ping touch mkdir test hostname dd kill ps readlink nslookup stat head grep'

function rootFiles(files: Readonly<Record<string, string>>): TarEntry[] {
  const folders = ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'run', 'www']
  return [
    ...folders.map((path) => ({ path, mode: path === 'tmp' ? 0o1777 : 0o755 })),
    { path: 'bin/busybox', mode: 0o755, data: readFileSync(busyboxPath) },
    ...applets.split(' ').map((name) => ({ path: `bin/${name}`, link: 'busybox' })),
    { path: 'etc/passwd', data: Buffer.from('root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/:/bin/sh\n') },
    { path: 'etc/group', data: Buffer.from('root:x:0:\napp:x:1000:\n') },
    ...Object.entries(files).map(([path, text]) => ({ path, data: Buffer.from(text) })),
  ]
}

/** Debian's package busybox-static. */
export const busyboxPath = '/bin/busybox'

function described(mediaType: string, blob: Buffer) {
  return { mediaType, digest: digestOf(blob), size: blob.length }
}

function digestOf(blob: Buffer): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
