import { apart } from './apart.ts'

apart('knex')
