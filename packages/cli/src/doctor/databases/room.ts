import { type Finding, failed, ok, warning } from '../finding.ts'
import type { Load } from './examined.ts'

/** What a database has of connections. */
export interface Room {
  /** As the server calls it. */
  readonly limitName: string
  readonly limit: number
  /** In use by others than the users of Vault. */
  readonly others: number
  /** Nobody tells who they are: the application may be among them. */
  readonly mayBeOurs?: boolean
}

const tightFraction = 0.9

/** A pool never has more than its `max`, a rotation included: old and new connections share the places. */
export function roomFor(
  { instances, poolMax }: Load,
  { limitName, limit, others, mayBeOurs = false }: Room,
  link: string,
): Finding {
  const needed = instances * poolMax
  const left = limit - others
  const users = mayBeOurs ? 'used now, by the application or by others' : 'used by others'
  const found = `${instances} × ${poolMax} = ${needed} connections of ${left}: ${limitName} is ${limit}, ${others} are ${users}`
  if (needed > (mayBeOurs ? limit : left))
    return failed(
      found,
      `Raise ${limitName}, or give each pool fewer (--instances and --pool-max tell this check yours).`,
      link,
    )
  return needed > left * tightFraction
    ? warning(found, `Little is left for people and other programs: raise ${limitName}.`, link)
    : ok(found)
}
