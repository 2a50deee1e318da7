import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { InvalidOptionError } from '../errors.ts'
import type { VaultEnvironment } from './environment.ts'

/** How the connection to Vault is secured. Everything is optional; Node's own certificate authorities are the default. */
export interface TlsOptions {
  /** A PEM certificate of the authority that signed Vault's; not empty, as the next two. Goes before `caCertFile`. Default: VAULT_CACERT_BYTES. */
  readonly caCert?: string | undefined
  /** The path of such a certificate. Default: VAULT_CACERT. */
  readonly caCertFile?: string | undefined
  /** A folder of such certificates. Default: VAULT_CAPATH. */
  readonly caPath?: string | undefined
  /** The path of the client's PEM certificate. Default: VAULT_CLIENT_CERT. */
  readonly clientCertFile?: string | undefined
  /** The path of the client's PEM key. Default: VAULT_CLIENT_KEY. */
  readonly clientKeyFile?: string | undefined
  /** The name that Vault's certificate has to carry. Default: VAULT_TLS_SERVER_NAME, else the host of the address. */
  readonly serverName?: string | undefined
  /** Accept any certificate. For experiments only; NODE_TLS_REJECT_UNAUTHORIZED changes nothing. Default: VAULT_SKIP_VERIFY, else false. */
  readonly skipVerify?: boolean | undefined
}

/** What Node's TLS wants. */
export interface TlsConnectOptions {
  readonly ca?: string[]
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
  /** Always said: where it is not, NODE_TLS_REJECT_UNAUTHORIZED decides. */
  readonly rejectUnauthorized: boolean
}

/**
 * What counts of the options and the environment. One source of certificate authorities: what the options name goes before
 * everything that the environment names.
 *
 * @throws InvalidOptionError when a client certificate comes without its key.
 */
export function resolveTls(options: TlsOptions, environment: VaultEnvironment): TlsOptions {
  const clientCertFile = (options.clientCertFile ?? environment.clientCertFile) || undefined
  const clientKeyFile = (options.clientKeyFile ?? environment.clientKeyFile) || undefined
  if ((clientCertFile === undefined) !== (clientKeyFile === undefined)) {
    throw new InvalidOptionError(
      'A client certificate and its key go together: set clientCertFile and clientKeyFile.',
    )
  }
  return {
    ...(authorityIn(options) ?? authorityIn(environment)),
    clientCertFile,
    clientKeyFile,
    serverName: (options.serverName ?? environment.serverName) || undefined,
    skipVerify: options.skipVerify ?? environment.skipVerify ?? false,
  }
}

/** The authority that goes before the others. */
function authorityIn({ caCert, caCertFile, caPath }: TlsOptions): TlsOptions | undefined {
  if (caCert) return { caCert }
  if (caCertFile) return { caCertFile }
  if (caPath) return { caPath }
  return undefined
}

/** Certificates and keys in files, read again when one of them has changed: they are renewed while the process runs. */
export class TlsFiles {
  readonly #tls: TlsOptions
  #connect: TlsConnectOptions
  #stamp: string | undefined

  /** @throws InvalidOptionError when a file cannot be read, or does not hold what it should. */
  constructor(tls: TlsOptions) {
    this.#tls = tls
    // Before the files: what changes in between is seen with the next request.
    this.#stamp = stampOf(tls)
    this.#connect = read(tls)
  }

  /** The same object as long as nothing has changed. What is being written, or does not fit together yet, is not used. */
  current(): TlsConnectOptions {
    const stamp = stampOf(this.#tls)
    if (stamp === undefined || stamp === this.#stamp) return this.#connect
    try {
      this.#connect = read(this.#tls)
      this.#stamp = stamp
    } catch {
      // The next request looks again.
    }
    return this.#connect
  }
}

/** Different whenever one of the files is. Undefined while one of them is missing. */
function stampOf({ caCertFile, caPath, clientCertFile, clientKeyFile }: TlsOptions): string | undefined {
  try {
    const inFolder = caPath ? filesIn(caPath) : []
    const files = [caCertFile, clientCertFile, clientKeyFile, ...inFolder].filter(
      (path) => path !== undefined,
    )
    return files.map((path) => stampOfFile(path)).join()
  } catch {
    return undefined
  }
}

function stampOfFile(path: string): string {
  const { mtimeMs, size, ino } = statSync(path)
  return `${path} ${mtimeMs} ${size} ${ino}`
}

function read(tls: TlsOptions): TlsConnectOptions {
  const ca = authorities(tls)
  if (ca && !ca.some((pem) => pem.includes('-----BEGIN')))
    throw new InvalidOptionError('The certificate authorities in the TLS options hold no certificate.')
  const connect = {
    ...(ca && { ca }),
    ...(tls.clientCertFile && { cert: readOption('clientCertFile', tls.clientCertFile) }),
    ...(tls.clientKeyFile && { key: readOption('clientKeyFile', tls.clientKeyFile) }),
    ...(tls.serverName && { servername: tls.serverName }),
    rejectUnauthorized: !tls.skipVerify,
  }
  try {
    createSecureContext(connect)
  } catch (cause) {
    throw new InvalidOptionError(
      'The certificates in the TLS options cannot be used: one of them is no PEM, or the key is not that of the client certificate.',
      { cause },
    )
  }
  return connect
}

function authorities({ caCert, caCertFile, caPath }: TlsOptions): string[] | undefined {
  if (caCert) return [caCert]
  if (caCertFile) return [readOption('caCertFile', caCertFile)]
  if (!caPath) return undefined
  return reading('caPath', () => filesIn(caPath).map((path) => readFileSync(path, 'utf8')))
}

function filesIn(folder: string): string[] {
  return (
    readdirSync(folder)
      .map((name) => join(folder, name))
      // Kubernetes keeps its own folders beside the files that it mounts.
      .filter((path) => statSync(path).isFile())
  )
}

function readOption(option: string, path: string): string {
  return reading(option, () => readFileSync(path, 'utf8'))
}

function reading<T>(option: string, readIt: () => T): T {
  try {
    return readIt()
  } catch (cause) {
    throw new InvalidOptionError(`The option "${option}" names something that cannot be read.`, { cause })
  }
}
