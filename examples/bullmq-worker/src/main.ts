import { closeOnSignal, vaultRedis } from '@vault-lease/redis'
import { Redis } from 'ioredis'
import { mailWorker } from './mails.ts'

const { REDIS_URL: url = 'redis://localhost' } = process.env
// BullMQ wants a connection for commands that block to have no limit of retries.
const redis = vaultRedis(new Redis(url, { maxRetriesPerRequest: null }))
const worker = mailWorker(redis, async ({ data }) => console.log(`Sent to ${data.to}`))

// A job that is under way is finished, then the user is dropped.
closeOnSignal(() => worker.close(), redis)
await worker.waitUntilReady()
console.log('Waiting for mails')
