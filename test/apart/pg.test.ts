import { apart } from './apart.ts'

apart('pg')
