import { apart } from './apart.ts'

apart('ioredis')
