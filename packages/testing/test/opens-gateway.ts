// Opens a gateway to the MongoDB at PORT, prints where it is, and has nothing more to do after a second.
import { openMongoGateway } from '../src/mongo/gateway.ts'

const port = Number(process.env['PORT'])
const gateway = await openMongoGateway({ host: '127.0.0.1', port, onCommand: async () => undefined })
process.stdout.write(`${gateway.port}\n`)
setTimeout(() => {}, 1_000)
