import { apart } from './apart.ts'

apart('mysql2-promise')
