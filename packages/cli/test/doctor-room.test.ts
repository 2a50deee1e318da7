import { expect, it } from 'vitest'
import { roomFor } from '../src/doctor/databases/room.ts'

it.each([
  { others: 10, mayBeOurs: false, poolMax: 50, status: 'ok' },
  { others: 45, mayBeOurs: false, poolMax: 50, status: 'warning' },
  { others: 60, mayBeOurs: false, poolMax: 50, status: 'failed' },
  // Those 60 may be the 50 that are asked for.
  { others: 60, mayBeOurs: true, poolMax: 50, status: 'warning' },
  { others: 60, mayBeOurs: true, poolMax: 101, status: 'failed' },
])(
  '$poolMax of 100 beside $others (ours among them: $mayBeOurs) is $status',
  ({ poolMax, status, ...others }) => {
    const room = { limitName: 'max_connections', limit: 100, ...others }
    expect(roomFor({ instances: 1, poolMax }, room, 'https://example.com').status).toBe(status)
  },
)
