import { type Job, Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'

/** What is to be sent. */
export interface Mail {
  readonly to: string
}

const name = 'mails'

export function mailQueue(connection: Redis): Queue<Mail> {
  return new Queue<Mail>(name, { connection })
}

/** Waits for mails and sends them, some at a time. Nothing here knows about Vault. */
export function mailWorker(connection: Redis, send: (job: Job<Mail>) => Promise<unknown>): Worker<Mail> {
  const worker = new Worker<Mail>(name, send, { connection, concurrency: 5 })
  worker.on('error', (error) => console.error(`The worker goes on after: ${error.message}`))
  return worker
}
