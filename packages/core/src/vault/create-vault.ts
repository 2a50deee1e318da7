import { type Clock, systemClock } from '../resilience/clock.ts'
import { RateLimit } from '../resilience/rate-limit.ts'
import { writtenAddress } from './address.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import { Cluster } from './cluster.ts'
import { Connections } from './connections.ts'
import { TlsFiles } from './tls.ts'
import { Transport } from './transport.ts'
import type { Vault } from './vault.ts'
import { readVaultConfig, type VaultConfig } from './vault-config.ts'
import type { VaultOptions } from './vault-options.ts'
import { VaultServer } from './vault-server.ts'

/**
 * Makes a Vault to share between leases. Nothing is sent before the first lease asks.
 *
 * @example
 * const vault = createVault({ address: 'https://vault.internal:8200', auth: appRole({ roleId, secretIdFile }) })
 *
 * @throws InvalidOptionError for an unknown option, an address that is none, a missing token, a file of certificates or a VAULT_*
 * variable that cannot be read.
 */
export function createVault(options: VaultOptions = {}): Vault {
  return createVaultOn(readVaultConfig(options, process.env), { clock: systemClock, random: Math.random })
}

/** @throws InvalidOptionError when certificates or keys cannot be read. */
export function createVaultOn(
  config: VaultConfig,
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
): VaultServer {
  const { addresses, namespace, auth, tls, proxy, timeoutMs, maxRetries, followRedirects } = config
  const transport = new Transport({
    cluster: new Cluster(addresses),
    connections: new Connections(new TlsFiles(tls), proxy),
    rateLimit: config.rateLimit && new RateLimit(config.rateLimit, clock),
    timeoutMs,
    followRedirects,
    clock,
  })
  return new VaultServer({
    address: writtenAddress(addresses[0]),
    namespace,
    transport,
    auth,
    maxRetries,
    circuit: new CircuitBreaker(config.circuitBreaker, clock),
    clock,
    random,
  })
}
