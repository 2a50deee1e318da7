import type { User } from './user.ts'

export type UserInput = Pick<User, 'name' | 'email'>

const rules: Readonly<Record<keyof UserInput, RegExp>> = {
  name: /^.{1,200}$/s,
  email: /^(?=.{3,200}$)[^\s@]+@[^\s@]+$/,
}

/** What the body of a request says about a user; `undefined` when it is not all right. */
export function userInput(body: unknown): Partial<UserInput> | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const entries = Object.entries(body)
  return entries.length > 0 && entries.every(isField) ? Object.fromEntries(entries) : undefined
}

export function isWhole(input: Partial<UserInput> | undefined): input is UserInput {
  return input?.name !== undefined && input.email !== undefined
}

function isField(entry: [string, unknown]): entry is [keyof UserInput, string] {
  const [key, value] = entry
  return (key === 'name' || key === 'email') && typeof value === 'string' && rules[key].test(value)
}
