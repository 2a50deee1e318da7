import { vaultLeaseErrorOf } from '@vault-lease/prisma'
import { Prisma } from './generated/prisma/client.ts'

/** What a client of the service hears of an error. */
export interface Answer {
  readonly status: number
  readonly error: string
}

export function answerTo(error: Error & { statusCode?: number }): Answer {
  const { statusCode: status, message } = error
  if (status !== undefined && status < 500) return { status, error: message }
  if (vaultLeaseErrorOf(error)?.retryable) return { status: 503, error: 'Try again later.' }
  switch (error instanceof Prisma.PrismaClientKnownRequestError && error.code) {
    case 'P2002':
      return { status: 409, error: 'This e-mail address is taken.' }
    case 'P2025':
      return { status: 404, error: 'There is no such user.' }
    default:
      return { status: 500, error: 'Something went wrong.' }
  }
}
