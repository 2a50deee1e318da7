#!/usr/bin/env node
// Stands in for Prisma's engine, which is a download: says who it is in the database that Prisma sends it to.
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import pg from 'pg'

const [, url] = /"url":"([^"]+)"/.exec(process.argv.join(' ')) ?? []
const client = new pg.Client({ connectionString: url })
await client.connect()
const { rows } = await client.query('select session_user as user')
writeFileSync(process.env.WHO_FILE, rows[0].user)
await client.end()
if (!process.argv.includes('cli')) {
  const empty = { appliedMigrationNames: [], editedMigrationNames: [], failedMigrationNames: [] }
  const result = { ...empty, hasMigrationsTable: true, history: null }
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(line).id, result })}\n`)
  }
}
