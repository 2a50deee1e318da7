import { apart } from './apart.ts'

apart('node-redis')
