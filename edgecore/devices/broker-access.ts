import { readFileSync } from 'node:fs'
import { TLSSocket, type TlsOptions } from 'node:tls'
import { explain, UserError } from '@kedge/shared/errors'
import type { BrokerOptions } from '@kedge/shared/mqtt-broker'
import type { AuthenticateError, Client } from 'aedes'
import type { LocalBrokerSettings } from '../settings.ts'
import type { AccessSettings } from './access-settings.ts'
import { type Passwords, parsePasswords, verify } from './passwords.ts'
import { type Access, ownDeviceRules, parseRules, type TopicRules } from './topic-rules.ts'

/**
 * Who may do what on the local broker.
 *
 * Invariant: without passwords and client certificates everybody on this machine may everything; with one of them a client
 * without a name is refused, and a name has the topics that the rules give it.
 */
export class BrokerAccess {
  readonly tls: TlsOptions | undefined
  readonly #passwords: Passwords | undefined
  readonly #certificates: boolean
  readonly #rules: TopicRules
  readonly #users = new WeakMap<Client, string>()

  constructor({
    tls,
    passwords,
    rules = ownDeviceRules,
  }: { tls?: TlsOptions; passwords?: Passwords; rules?: TopicRules }) {
    this.tls = tls
    this.#passwords = passwords
    this.#certificates = tls?.requestCert === true
    this.#rules = rules
  }

  /** Reads the files. Throws a `UserError` that names the file and what is wrong in it. */
  static load(settings: Partial<AccessSettings>): BrokerAccess {
    const { mqttPasswords, mqttAcl, mqttTlsCert, mqttTlsKey, mqttTlsClientCa } = settings
    const passwords = mqttPasswords === undefined ? undefined : passwordsOf(mqttPasswords)
    const rules = mqttAcl === undefined ? undefined : rulesOf(mqttAcl)
    const certificate =
      mqttTlsCert === undefined || mqttTlsKey === undefined
        ? undefined
        : { cert: read(mqttTlsCert), key: read(mqttTlsKey), minVersion: 'TLSv1.2' as const }
    // Passwords may stand in for a certificate; a certificate that is shown has to be right.
    const clients =
      mqttTlsClientCa === undefined
        ? {}
        : { ca: read(mqttTlsClientCa), requestCert: true, rejectUnauthorized: passwords === undefined }
    return new BrokerAccess({
      ...(certificate && { tls: { ...certificate, ...clients } }),
      ...(passwords && { passwords }),
      ...(rules && { rules }),
    })
  }

  /** Whether clients have to say who they are. */
  get restricted(): boolean {
    return this.#passwords !== undefined || this.#certificates
  }

  /** The name of a client that may connect, from its certificate or its password; undefined when it may not. */
  async admit(client: Client, user: string | undefined, password: Buffer | undefined): Promise<boolean> {
    if (!this.restricted) return true
    const name = this.#certificates ? certificateName(client) : undefined
    if (name !== undefined) this.#users.set(client, name)
    else if (
      this.#passwords &&
      user !== undefined &&
      (await verify(this.#passwords, user, password ?? Buffer.alloc(0)))
    )
      this.#users.set(client, user)
    return this.#users.has(client)
  }

  may(client: Client, access: Access, topicOrFilter: string): boolean {
    if (!this.restricted) return true
    const user = this.#users.get(client)
    return user !== undefined && this.#rules.may({ user, client: client.id }, access, topicOrFilter)
  }

  /** The broker's hooks for it: at the connection, and for each message to a client that may not read its topic. */
  hooks(refused: (client: Client, reason: string) => void): BrokerOptions['hooks'] {
    if (!this.restricted) return {}
    return {
      authenticate: (client, user, password, done) => {
        this.admit(client, user, password as Buffer | undefined).then(
          (admitted) => {
            if (admitted) return done(null, true)
            refused(client, user === undefined ? 'no user name' : 'wrong user name or password')
            done(notAuthorised(), false)
          },
          (error: unknown) => {
            refused(client, explain(error))
            done(notAuthorised(), false)
          },
        )
      },
      // A session goes on with its filters, whoever connects in its name.
      authorizeForward: (client, packet) => (this.may(client, 'read', packet.topic) ? packet : undefined),
    }
  }
}

/** MQTT 3.1.1, 3.2.2.3: bad user name or password. */
function notAuthorised(): AuthenticateError {
  return Object.assign(new Error('bad user name or password'), { returnCode: 4 }) as AuthenticateError
}

function certificateName({ conn }: Client): string | undefined {
  if (!(conn instanceof TLSSocket) || !conn.authorized) return undefined
  const name = conn.getPeerCertificate().subject?.CN
  return typeof name === 'string' && name !== '' ? name : undefined
}

function passwordsOf(path: string): Passwords {
  const parsed = parsePasswords(read(path))
  if (!parsed.ok) throw new UserError(`--mqtt-passwords ${path}: ${parsed.fault}`)
  return parsed.passwords
}

function rulesOf(path: string): TopicRules {
  const parsed = parseRules(read(path))
  if (!parsed.ok) throw new UserError(`--mqtt-acl ${path}: ${parsed.fault}`)
  return parsed.rules
}

/** How edgecore names itself at a broker of the node's own. Throws a `UserError` when the file cannot be read. */
export function credentials({ mqttUsername: username, mqttPasswordFile: file }: LocalBrokerSettings) {
  return { username, password: file === undefined ? undefined : read(file).replace(/\r?\n$/, '') }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UserError(`${path} cannot be read: ${explain(error)}`, { cause: error })
  }
}
