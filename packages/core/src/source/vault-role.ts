import type { Vault } from '../vault/vault.ts'

/** A role of the database secrets engine, and the Vault that has it. */
export interface VaultRole {
  readonly mount: string
  readonly name: string
  /** The Vault, opened with the first call. */
  open(): Vault
  /** Lets the Vault go: closes it, unless somebody else uses it. */
  close(): Promise<void>
}
