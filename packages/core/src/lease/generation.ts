import type { IssuedCredential } from '../source/source.ts'
import type { Credential } from './credential.ts'

/** A credential that the manager has, or is about to publish, with its lease. */
export interface Generation {
  readonly credential: Credential
  readonly issued: IssuedCredential
}
