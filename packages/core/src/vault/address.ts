import { InvalidOptionError } from '../errors.ts'

/** Where one server is. */
export interface VaultAddress {
  /** Begins with http:// or https://, as every spelling of it is written in the end, without a slash at the end. */
  readonly base: string
  /** The socket of Unix on which it listens, if it does. */
  readonly socketPath: string | undefined
}

/** Where the servers of one cluster are. */
export type VaultAddresses = readonly [VaultAddress, ...VaultAddress[]]

const unix = 'unix://'

/**
 * What an address means: http://, https://, or unix:// and the path of a socket, as Vault's own client takes it.
 *
 * @throws InvalidOptionError for anything else, for a user or password in it, and for the path of an API call.
 */
export function readAddress(address: string): VaultAddress {
  if (address.startsWith(unix)) {
    const socketPath = address.slice(unix.length)
    if (socketPath.startsWith('/')) return { base: 'http://localhost', socketPath }
    throw new InvalidOptionError(
      'The address of a socket has to be unix:// and an absolute path, as in unix:///run/vault.sock.',
    )
  }
  const url = httpUrl(address)
  if (!url)
    throw new InvalidOptionError(
      'The address of Vault has to be a URL that begins with http://, https:// or unix://.',
    )
  if (url.username || url.password) {
    throw new InvalidOptionError(
      'The address of Vault takes no user and password: log in by the option auth.',
    )
  }
  if (url.search || url.hash || withoutSlashes(url.pathname).endsWith('/v1')) {
    throw new InvalidOptionError('The address of Vault ends before /v1, and has neither ? nor #.')
  }
  return { base: withoutSlashes(`${url.origin}${url.pathname}`), socketPath: undefined }
}

/**
 * The addresses of one cluster.
 *
 * @throws InvalidOptionError also when only some of them have TLS: a token must not get out of it by a failure.
 */
export function readAddresses(address: string | readonly string[]): VaultAddresses {
  const [first, ...others] = [address].flat().map(readAddress)
  if (!first) throw new InvalidOptionError('The option "address" needs one address or several.')
  const withTls = (server: VaultAddress): boolean => server.base.startsWith('https:')
  if (others.every((other) => withTls(other) === withTls(first))) return [first, ...others]
  throw new InvalidOptionError(
    'The addresses of one cluster have to begin all with https://, or none of them.',
  )
}

/** @throws InvalidOptionError unless it is the address of an HTTP proxy. */
export function checkProxy(proxy: string | undefined): string | undefined {
  if (proxy === undefined || httpUrl(proxy)) return proxy
  throw new InvalidOptionError('The option "proxy" has to begin with http:// or https://.')
}

/** @throws InvalidOptionError unless an HTTP header can carry it. */
export function checkNamespace(namespace: string | undefined): string | undefined {
  if (namespace === undefined || /^[\x21-\x7e]*$/.test(namespace)) return namespace
  throw new InvalidOptionError('The namespace holds white space or characters that no namespace has.')
}

/** As the caller could have written it. */
export function writtenAddress({ base, socketPath }: VaultAddress): string {
  return socketPath === undefined ? base : `${unix}${socketPath}`
}

/** At the end. A pattern would look at each of many slashes again and again. */
function withoutSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end--
  return path.slice(0, end)
}

function httpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined
}
