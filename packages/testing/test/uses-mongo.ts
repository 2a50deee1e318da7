// Reads from the MongoDB that there is, tries to end it, and prints what came of it.
import { startMongo } from '@vault-lease/testing'

const mongo = await startMongo()
const items = await mongo.query('{"find":"items"}')
const refused = await mongo.kill().catch(String)
await mongo.stop()
process.stdout.write(JSON.stringify({ items, refused }))
