import type { Servers } from '@vault-lease/testing'
import type { Kind } from '../orphans/names.ts'

/** Local servers, of a kind that the commands know. */
export type LocalServers = Servers<Kind>
