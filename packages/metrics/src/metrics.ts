/** One metric: its name by the conventions of OpenTelemetry, of which the one of Prometheus follows. */
export interface Metric {
  readonly name: string
  /** As UCUM has it. */
  readonly unit: string
  readonly help: string
  readonly labels: readonly string[]
}

export const counters = {
  renewals: {
    name: 'vault_lease.renewals',
    unit: '{renewal}',
    help: 'Renewals of the lease',
    labels: ['source', 'outcome'],
  },
  rotations: {
    name: 'vault_lease.rotations',
    unit: '{rotation}',
    help: 'Attempts to put another credential in force',
    labels: ['source', 'outcome', 'reason'],
  },
  logins: {
    name: 'vault_lease.logins',
    unit: '{login}',
    help: 'Connections that the database has let in, those that only try a credential too',
    labels: ['source', 'pool'],
  },
  stragglers: {
    name: 'vault_lease.stragglers.closed',
    unit: '{connection}',
    help: 'Connections of an old user that were closed under their holder, because the time to drain was over',
    labels: ['source'],
  },
  revocations: {
    name: 'vault_lease.revocations',
    unit: '{revocation}',
    help: 'Attempts to revoke the lease of an old user',
    labels: ['source', 'outcome'],
  },
  expirations: {
    name: 'vault_lease.expirations',
    unit: '{credential}',
    help: 'Credentials that died, or were refused by the database, before there was another',
    labels: ['source'],
  },
  failures: {
    name: 'vault_lease.failures',
    unit: '{failure}',
    help: 'Steps in the life of a lease that failed, with the code of the error',
    labels: ['source', 'step', 'code'],
  },
  requests: {
    name: 'vault_lease.vault.requests',
    unit: '{request}',
    help: 'Requests to Vault, each repetition too; the outcome is success, aborted, or the code of the error',
    labels: ['operation', 'outcome'],
  },
} as const satisfies Record<string, Metric>

export const histograms = {
  stepDuration: {
    name: 'vault_lease.rotation.step.duration',
    unit: 's',
    help: 'How long a step of a rotation took: fetch, prove, publish, retire, revoke',
    labels: ['source', 'step', 'outcome'],
  },
  requestDuration: {
    name: 'vault_lease.vault.request.duration',
    unit: 's',
    help: 'How long Vault took to answer a request',
    labels: ['operation', 'outcome'],
  },
} as const satisfies Record<string, Metric>

/** Upper bounds in seconds: from an answer in the same room to a drain of some minutes. */
export const buckets: Readonly<Record<keyof typeof histograms, readonly number[]>> = {
  stepDuration: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600],
  requestDuration: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
}

export const gauges = {
  credentialExpires: {
    name: 'vault_lease.credential.expires',
    unit: 's',
    help: 'Time until the credential in force may not be used any more, unless it is renewed or replaced; 0 when there is none',
    labels: ['source'],
  },
  generation: {
    name: 'vault_lease.generation',
    unit: '{generation}',
    help: 'The generation in force; 0 when there is none',
    labels: ['source'],
  },
  state: {
    name: 'vault_lease.state',
    unit: '{lease}',
    help: 'Whether the lease is in this state: how many leases of the source are',
    labels: ['source', 'state'],
  },
  connections: {
    name: 'vault_lease.connections',
    unit: '{connection}',
    help: 'Open connections of a pool that belong to the current credential, and to old ones',
    labels: ['source', 'pool', 'credential'],
  },
  poolState: {
    name: 'vault_lease.pool.state',
    unit: '{pool}',
    help: 'How many pools of this place stand so with their database',
    labels: ['source', 'pool', 'state'],
  },
  tokenExpires: {
    name: 'vault_lease.token.expires',
    unit: 's',
    help: 'Time until the token of Vault ends that the credential was read with, unless it is renewed',
    labels: ['source'],
  },
  circuitState: {
    name: 'vault_lease.circuit.state',
    unit: '{lease}',
    help: 'Whether the circuit breaker before Vault is in this state: for how many leases of the source it is',
    labels: ['source', 'state'],
  },
} as const satisfies Record<string, Metric>

export type CounterName = keyof typeof counters
export type HistogramName = keyof typeof histograms
export type GaugeName = keyof typeof gauges
export type Labels = Readonly<Record<string, string>>
