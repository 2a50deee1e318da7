import { BadRequestException, type PipeTransform } from '@nestjs/common'
import type { User } from './user.ts'

export type UserInput = Pick<User, 'name' | 'email'>

const rules: Readonly<Record<keyof UserInput, RegExp>> = {
  name: /^.{1,200}$/s,
  email: /^(?=.{3,200}$)[^\s@]+@[^\s@]+$/,
}

/** The body of a request that says something about a user. */
export const partOfUser: PipeTransform<unknown, Partial<UserInput>> = {
  transform(body) {
    const entries = typeof body === 'object' && body !== null ? Object.entries(body) : []
    if (entries.length === 0 || !entries.every(isField)) throw notAUser()
    return Object.fromEntries(entries)
  },
}

/** The body of a request that says all about a user. */
export const wholeUser: PipeTransform<unknown, UserInput> = {
  transform(body, metadata) {
    const { name, email } = partOfUser.transform(body, metadata)
    if (name === undefined || email === undefined) throw notAUser()
    return { name, email }
  },
}

function isField([key, value]: [string, unknown]): boolean {
  return Object.hasOwn(rules, key) && typeof value === 'string' && rules[key as keyof UserInput].test(value)
}

function notAUser(): BadRequestException {
  return new BadRequestException('A user has a name and an email.')
}
