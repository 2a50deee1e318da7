import { InvalidOptionError } from '@vault-lease/core'

/** What the name of a database user tells. */
export interface Name {
  /** When Vault made it, in milliseconds since 1970; `undefined` when the name does not tell. */
  readonly madeAt: number | undefined
  /** Whether it can be of a role with this name. */
  mayBeOf(role: string): boolean
}

/** `undefined` for a user that Vault has not made. */
export type ReadName = (username: string) => Name | undefined

/** The username_template of a plugin of Vault: v-<token>-<role>-<20 random>-<seconds>, token and role cut, and the whole. */
interface Template {
  /** With the groups `of`, the token and the role, and `time`, if there is one. */
  readonly shape: RegExp
  /** A role as it is in the name. */
  cut(role: string): string
}

/** Where the whole is too long and cut, the time is lost. */
const templates = {
  postgresql: {
    shape: /^v-(?<of>.{0,8}-.{1,8})-[A-Za-z0-9]{20}-(?<time>\d{10})$/s,
    cut: (role) => role.slice(0, 8),
  },
  mysql: {
    shape: /^v-(?=.{30}$)(?<of>.{0,10}-.{1,10})-[A-Za-z0-9]{8,20}(?:-\d*)?$/s,
    cut: (role) => role.slice(0, 10),
  },
  mongodb: {
    shape: /^v-(?<of>.{0,15}-.{1,15})-[A-Za-z0-9]{20}-(?<time>\d{10})$/s,
    cut: (role) => role.slice(0, 15).replaceAll('.', '-'),
  },
} satisfies Readonly<Record<string, Template>>

/** The databases whose users are known by their names. */
export type Kind = keyof typeof templates

/** Names as Vault makes them when nobody has told it otherwise. */
export function namesOfVault(kind: Kind): ReadName {
  const { shape, cut } = templates[kind]
  return (username) => {
    const { of, time } = shape.exec(username)?.groups ?? {}
    if (of === undefined) return undefined
    return {
      madeAt: time === undefined ? undefined : Number(time) * 1_000,
      // Roles and tokens have hyphens too: where the one begins cannot be told.
      mayBeOf: (role) => of.endsWith(`-${cut(role)}`),
    }
  }
}

/**
 * Names that match a regular expression. Its groups `role` and `time` (seconds since 1970), where it has them, tell the role, which
 * may be cut, and when the user was made.
 *
 * @throws InvalidOptionError when it is none.
 */
export function namesLike(pattern: string): ReadName {
  const expression = expressionOf(pattern)
  return (username) => {
    const found = expression.exec(username)
    if (!found) return undefined
    const { role: part, time } = found.groups ?? {}
    return {
      madeAt: time === undefined ? undefined : Number(time) * 1_000,
      mayBeOf: (role) => part === undefined || role.startsWith(part) || part.startsWith(role),
    }
  }
}

function expressionOf(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, 's')
  } catch (cause) {
    throw new InvalidOptionError(`--pattern is no regular expression: ${String(cause)}`, { cause })
  }
}
