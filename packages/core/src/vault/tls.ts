import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidOptionError } from '../errors.ts'

/** How the connection to Vault is secured. Everything is optional; Node's own certificate authorities are the default. */
export interface TlsOptions {
  /** A PEM certificate of the authority that signed Vault's. Goes before `caCertFile`. Default: VAULT_CACERT_BYTES. */
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
  /** Accept any certificate. For experiments only. Default: VAULT_SKIP_VERIFY, else false. */
  readonly skipVerify?: boolean | undefined
}

/** What Node's TLS wants. */
export interface TlsConnectOptions {
  readonly ca?: string[]
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/** @throws InvalidOptionError when a file cannot be read, or a client certificate comes without its key. */
export function tlsConnectOptions(tls: TlsOptions): TlsConnectOptions {
  if (Boolean(tls.clientCertFile) !== Boolean(tls.clientKeyFile)) {
    throw new InvalidOptionError(
      'A client certificate and its key go together: set clientCertFile and clientKeyFile.',
    )
  }
  const ca = authorities(tls)
  return {
    ...(ca && { ca }),
    ...(tls.clientCertFile && { cert: read('clientCertFile', tls.clientCertFile) }),
    ...(tls.clientKeyFile && { key: read('clientKeyFile', tls.clientKeyFile) }),
    ...(tls.serverName && { servername: tls.serverName }),
    ...(tls.skipVerify && { rejectUnauthorized: false }),
  }
}

function authorities({ caCert, caCertFile, caPath }: TlsOptions): string[] | undefined {
  if (caCert) return [caCert]
  if (caCertFile) return [read('caCertFile', caCertFile)]
  if (!caPath) return undefined
  return reading('caPath', () =>
    readdirSync(caPath)
      .map((name) => join(caPath, name))
      // Kubernetes keeps its own folders beside the files that it mounts.
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path, 'utf8')),
  )
}

function read(option: string, path: string): string {
  return reading(option, () => readFileSync(path, 'utf8'))
}

function reading<T>(option: string, readIt: () => T): T {
  try {
    return readIt()
  } catch (cause) {
    throw new InvalidOptionError(`The option "${option}" names something that cannot be read.`, { cause })
  }
}
