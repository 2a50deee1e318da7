import type { VaultForLeases } from '../vault/vault-for-leases.ts'

/** A role of the database secrets engine, and the Vault that has it. */
export interface VaultRole {
  readonly mount: string
  readonly name: string
  /** The Vault, opened with the first call. */
  open(): VaultForLeases
  /** Lets the Vault go: closes it, unless somebody else uses it. */
  close(): Promise<void>
}
