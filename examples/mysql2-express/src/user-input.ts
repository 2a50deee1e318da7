import type { UserInput } from './users.ts'

/** What a client may say of a user. */
const acceptable: Readonly<Record<keyof UserInput, RegExp>> = {
  name: /^.{1,200}$/,
  email: /^(?=.{1,200}$)[^\s@]+@[^\s@]+$/,
}

/** Checks what a client has sent: at least one field, none that is unknown, all of them well-formed. */
export function isUserInput(body: unknown): body is Partial<UserInput> {
  if (typeof body !== 'object' || body === null) return false
  const fields = Object.entries(body)
  return fields.length > 0 && fields.every(([name, value]) => isAcceptable(name, value))
}

export function isWhole(input: Partial<UserInput>): input is UserInput {
  return input.name !== undefined && input.email !== undefined
}

function isAcceptable(name: string, value: unknown): boolean {
  return (name === 'name' || name === 'email') && typeof value === 'string' && acceptable[name].test(value)
}
