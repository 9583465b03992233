import * as z from 'zod'
import type { ImageFsInfo, ImageInfo, PodConfig, RegistryCredential } from '../runtime.ts'
import { methods } from './api.ts'
import type { Image } from './api-container.ts'
import type { CriClient } from './client.ts'
import { fromJson } from './listing.ts'
import { sandboxConfig } from './sandbox-config.ts'

const pullMs = 60 * 60_000
const removeMs = 120_000

/** Of what containerd tells of its configuration. */
const SandboxImage = z.object({ sandboxImage: z.string() })

/** The images of the engine. */
export class CriImages {
  readonly #client: CriClient

  constructor(client: CriClient) {
    this.#client = client
  }

  async info(reference: string): Promise<ImageInfo | undefined> {
    const { image } = await this.#client.call(methods.imageStatus, { image: { image: reference } })
    return image === undefined ? undefined : infoOf(image)
  }

  async all(): Promise<ImageInfo[]> {
    const [{ images }, pause] = await Promise.all([this.#client.call(methods.listImages, {}), this.#pauseImage()])
    const infos = images.map(infoOf)
    return infos.map((one) => (one.names.includes(pause ?? '') ? { ...one, pinned: true } : one))
  }

  /** The image of sandboxes, without which no pod starts: containerd pins it from 1.7 on. */
  async #pauseImage(): Promise<string | undefined> {
    const { info } = await this.#client.call(methods.status, { verbose: true })
    const config = SandboxImage.safeParse(fromJson(info.config))
    return config.success ? config.data.sandboxImage : undefined
  }

  async pull(reference: string, pod: PodConfig, credentials: readonly RegistryCredential[]): Promise<string> {
    let refused: unknown
    for (const credential of [...credentials, undefined]) {
      try {
        return await this.#pull(reference, pod, credential)
      } catch (error) {
        // What was said to the best credentials tells more than what was said to nobody.
        refused ??= error
      }
    }
    throw refused
  }

  async #pull(reference: string, pod: PodConfig, credential: RegistryCredential | undefined): Promise<string> {
    const node = { logRoot: '/', cgroupParent: undefined }
    const config = { image: { image: reference }, sandbox_config: sandboxConfig(pod, 0, node) }
    const auth = credential && { auth: authOf(credential) }
    const { image_ref } = await this.#client.call(methods.pullImage, { ...config, ...auth }, pullMs)
    // Engines differ in what they call a reference: the id is one for all calls.
    return (await this.info(image_ref))?.id ?? image_ref
  }

  async remove(id: string): Promise<void> {
    await this.#client.call(methods.removeImage, { image: { image: id } }, removeMs)
  }

  async fsInfo(): Promise<ImageFsInfo[]> {
    const { image_filesystems } = await this.#client.call(methods.imageFsInfo, {})
    return image_filesystems.map(({ fs_id, used_bytes }) => ({
      path: fs_id?.mountpoint ?? '',
      usedBytes: used_bytes?.value ?? 0,
    }))
  }
}

function infoOf({ id, repo_tags, repo_digests, size, uid, username, pinned }: Image): ImageInfo {
  const user = username === '' ? uid && { uid: uid.value } : { name: username }
  return { id, names: repo_tags, digests: repo_digests, bytes: size, pinned, ...(user && { user }) }
}

function authOf({ username, password, auth, identityToken, registryToken, serverAddress }: RegistryCredential) {
  return {
    username,
    password,
    auth,
    server_address: serverAddress,
    identity_token: identityToken,
    registry_token: registryToken,
  }
}
